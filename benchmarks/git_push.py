"""From a push to what it changed: by webhook and by polling, among many objects; and one file of a large repository.

``python benchmarks/git_push.py [OBJECTS] [FILES]`` (1,000 and 10,000). A real ``git push``, a real webhook over HTTP, SQLite on
disk. A time begins when ``git push`` has ended and ends when the changed object is written; the median of several pushes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from reconciler import telemetry
from reconciler.api import kinds
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.control import EventWriter, InformerCache, Recorder
from reconciler.gitops.engine import KINDS, Engine
from reconciler.gitops.source import Sources, git
from reconciler.gitops.source.git.credentials import Credentials
from reconciler.gitops.webhook import Receiver, serve
from reconciler.registry import Registry
from reconciler.store.sqlite import SqliteStore

PUSHES = 7
SECRET = b"a secret of the benchmark"


class Origin:
    """A bare repository, and a clone to push from."""

    def __init__(self, where: Path, count: int) -> None:
        self.bare, self._work = where / "origin.git", where / "work"
        self._git(where, "init", "-q", "--bare", "-b", "main", str(self.bare))
        self._git(where, "init", "-q", "-b", "main", str(self._work))
        for number in range(count):
            self.write(number, 0)
        self.push()

    def write(self, number: int, value: object) -> None:
        path = self._work / f"d{number % 50}" / f"c{number}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\ndata: {{value: '{value}'}}\n"
        )

    def push(self) -> None:
        self._git(self._work, "add", "-A")
        self._git(self._work, "commit", "-q", "-m", "benchmark")
        self._git(self._work, "push", "-q", str(self.bare), "HEAD:main")

    @staticmethod
    def _git(at: Path, *arguments: str) -> None:
        who = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")
        subprocess.run(["git", *who, *arguments], cwd=at, check=True)


async def pushes(where: Path, count: int) -> None:
    """Measure pushes by webhook, then by polling each second."""
    clock, entropy = SystemClock(), SystemEntropy()
    registry = Registry(SqliteStore(where / "cluster.db"), clock=clock, entropy=entropy)
    await registry.start()
    await registry.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    )
    cache = InformerCache(registry, KINDS, clock=clock)
    events = EventWriter(registry, clock)
    sources = Sources(where / "sources", registry, cache, clock=clock, entropy=entropy)
    engine = Engine(
        registry, cache, clock=clock, entropy=entropy, recorder=Recorder(events, "engine"),
        source_for=sources.source_for,
    )  # fmt: skip
    origin = Origin(where, count)
    tasks = [asyncio.create_task(run()) for run in (cache.run, engine.run, events.run)]
    (where / "secret").write_bytes(SECRET)
    receiver = Receiver(where / "secret", sources.wake, clock)
    try:
        async with serve(receiver, "127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
            for interval, name in (("1h", "webhook"), ("1s", "polling each second")):
                await registry.apply(application(origin, interval), field_manager="benchmark")
                await synced(cache)
                await asyncio.sleep(2)
                took = []
                for round_ in range(1, PUSHES + 1):
                    value = f"{name}{round_}"
                    origin.write(7, value)
                    await asyncio.to_thread(origin.push)
                    begun = time.perf_counter()
                    if name == "webhook":
                        await hook(session, port, origin)
                    await cache.wait_for(
                        kinds.CONFIG_MAP, "default", "c7",
                        lambda o, value=value: bool(o) and (o or {})["data"]["value"] == value,
                    )  # fmt: skip
                    took.append(time.perf_counter() - begun)
                    await asyncio.sleep(1.2)
                print(
                    f"{count} objects, by {name}: push to applied {statistics.median(took) * 1000:.0f} ms "
                    f"(best {min(took) * 1000:.0f}, worst {max(took) * 1000:.0f})"
                )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await registry.close()


def application(origin: Origin, interval: str) -> dict[str, Any]:
    source = {"git": {"url": f"file://{origin.bare}", "ref": "main", "interval": interval}}
    sync = {"automated": {"prune": True, "selfHeal": True}}
    return {
        "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "many"},
        "spec": {"source": source, "syncPolicy": sync},
    }  # fmt: skip


async def synced(cache: InformerCache) -> None:
    await cache.wait_for(
        kinds.APPLICATION, "", "many",
        lambda a: ((a or {}).get("status") or {}).get("sync", {}).get("status") == "Synced",
    )  # fmt: skip


async def hook(session: aiohttp.ClientSession, port: int, origin: Origin) -> None:
    body = json.dumps({"url": f"file://{origin.bare}", "at": time.time()}).encode()
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    headers = {"X-Signature": f"sha256={signature}"}
    async with session.post(f"http://127.0.0.1:{port}/", data=body, headers=headers) as answer:
        answer.raise_for_status()


async def large_repository(where: Path, count: int) -> None:
    """Measure fetching and reading one changed file of many, and a poll that finds nothing."""

    async def credentials() -> Credentials:
        return Credentials()

    async def signers() -> None:
        return None

    origin = Origin(where, count)
    spec = git.parse({"url": f"file://{origin.bare}", "ref": "main"})
    repository = git.Repository(where / "clone", spec, git.Access(credentials, signers))

    async def look() -> None:
        await repository.read(await repository.fetch())

    async def timed(what: str, times: int) -> None:
        took, cpu = [], []
        for round_ in range(times):
            if "changed" in what:
                origin.write(7, round_ + 1)
                origin.push()
            before, begun = spent(), time.perf_counter()
            await look()
            took.append(time.perf_counter() - begun)
            cpu.append(spent() - before)
        print(
            f"{count} files, {what}: {statistics.median(took) * 1000:.0f} ms, "
            f"CPU {statistics.median(cpu) * 1000:.0f} ms with git's own"
        )

    await timed("first clone", 1)
    await timed("nothing new", PUSHES)
    await timed("one changed file", PUSHES)


def spent() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    telemetry.configure("warning")
    objects = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    files = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with tempfile.TemporaryDirectory(prefix="git-push-") as folder:
        asyncio.run(pushes(Path(folder), objects))
    with tempfile.TemporaryDirectory(prefix="git-push-") as folder:
        asyncio.run(large_repository(Path(folder), files))


if __name__ == "__main__":
    main()
