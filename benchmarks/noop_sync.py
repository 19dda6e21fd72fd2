"""What a sync costs when nothing, or one file of many, has changed.

    python benchmarks/noop_sync.py [OBJECTS]

A directory of OBJECTS files (one ConfigMap each) is synced into a registry in memory. Then: CPU and writes of a sync that
is asked for while nothing changed, and the time from editing one file to its object having changed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reconciler.api import kinds
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.control import EventWriter, InformerCache, Recorder
from reconciler.daemon import collector
from reconciler.gitops.engine import KINDS, Engine
from reconciler.gitops.source import Sources
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-{number}}}\ndata: {{value: '{value}'}}\n"


def write(folder: Path, number: int, value: int) -> None:
    path = folder / f"{number % 100:02}" / f"config-{number}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(MANIFEST.format(number=number, value=value))


def application(folder: Path) -> dict[str, object]:
    return {
        "apiVersion": "reconciler.dev/v1",
        "kind": "Application",
        "metadata": {"name": "many"},
        "spec": {
            "source": {"directory": {"path": str(folder)}},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


async def measure(count: int) -> None:
    clock = SystemClock()
    registry = Registry(MemoryStore(), clock=clock, entropy=SystemEntropy())
    await registry.start()
    await registry.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    )
    cache = InformerCache(registry, KINDS, clock=clock)
    events = EventWriter(registry, clock)
    engine = Engine(
        registry, cache, clock=clock, entropy=SystemEntropy(), recorder=Recorder(events, "engine"),
        source_for=Sources(Path("/nowhere"), registry, cache, clock=clock, entropy=SystemEntropy()).source_for,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for number in range(count):
            write(folder, number, 0)
        tasks = [asyncio.create_task(run()) for run in (cache.run, engine.run, events.run)]
        started, cpu = time.perf_counter(), time.process_time()
        await registry.apply(application(folder), field_manager="benchmark")
        await cache.wait_for(
            kinds.APPLICATION, "", "many",
            lambda a: bool(a) and ((a or {}).get("status") or {}).get("sync", {}).get("status") == "Synced",
        )  # fmt: skip
        print(
            f"first sync of {count} objects: {time.perf_counter() - started:.2f} s, CPU {time.process_time() - cpu:.2f} s"
        )
        await asyncio.sleep(3)

        cpu, revision = time.process_time(), registry.revision
        request = {"metadata": {"annotations": {"reconciler.dev/sync-requested-at": "now"}}}
        await registry.patch(kinds.APPLICATION, "many", "", request)
        await asyncio.sleep(3)
        print(
            f"no-op sync: CPU {(time.process_time() - cpu) * 1000:.0f} ms, writes {registry.revision - revision - 1}"
        )

        cpu, started, revision = time.process_time(), time.perf_counter(), registry.revision
        write(folder, count // 2, 1)
        await cache.wait_for(
            kinds.CONFIG_MAP, "default", f"config-{count // 2}",
            lambda o: bool(o) and (o or {})["data"]["value"] == "1",
        )  # fmt: skip
        took = (time.perf_counter() - started) * 1000
        await asyncio.sleep(3)
        print(
            f"one changed file: applied after {took:.0f} ms, CPU {(time.process_time() - cpu) * 1000:.0f} ms, writes {registry.revision - revision}"
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await registry.close()


def main() -> None:
    collector.tune()
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))


if __name__ == "__main__":
    main()
