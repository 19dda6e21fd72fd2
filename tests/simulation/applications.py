"""Applications under virtual time: a registry, an engine, sources that a test writes into."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.clock import LoopClock, SeededEntropy, rfc3339_micro
from reconciler.control import EventWriter, InformerCache, Recorder
from reconciler.errors import SourceError
from reconciler.gitops.engine import KINDS, Engine, Outcome
from reconciler.gitops.history import MemoryHistory
from reconciler.gitops.source import Commit, File, Snapshot
from reconciler.gitops.validate import Checks
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.api.objects import Object


class Files:
    """A source that a test writes into."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._changed = asyncio.Event()
        self.missing = False
        self.hangs = False
        self.reads = 0
        self.closed = 0
        self.commit: Commit | None = None
        self.others: dict[str, dict[str, str]] = {}

    def keep(self, name: str, /, **files: str) -> None:
        """Let the source have a branch or a tag, too, of these files."""
        self.others[name] = {f"{file}.yaml": text for file, text in files.items()}

    def write(self, **files: str) -> None:
        """Let the source hold exactly these files."""
        self._files = {f"{name}.yaml": text for name, text in files.items()}
        self._changed.set()

    def hint(self) -> None:
        """Say that something may have changed."""
        self._changed.set()

    async def snapshot(self) -> Snapshot:
        self.reads += 1
        while self.hangs:
            await asyncio.sleep(60)
        if self.missing:
            raise SourceError("the directory is gone")
        return self._snapshot(self._files)

    async def at(self, revision: str) -> Snapshot:
        if revision not in self.others:
            raise SourceError(f"there is no branch or tag {revision}")
        return self._snapshot(self.others[revision])

    def _snapshot(self, files: dict[str, str]) -> Snapshot:
        found = {}
        for path, text in sorted(files.items()):
            digest = hashlib.sha256(text.encode()).hexdigest()
            found[path] = File(path, digest, text.encode())
        revision = hashlib.sha256(
            repr([(p, f.digest) for p, f in found.items()]).encode()
        ).hexdigest()
        return Snapshot(revision[:12], found, commit=self.commit)

    async def changed(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def refresh(self) -> None:
        pass

    async def close(self) -> None:
        self.closed += 1


def config(name: str, value: str = "1", extra: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{extra}}}\ndata: {{value: '{value}'}}\n"


def deployment(name: str, image: str = "app:1", extra: str = "") -> str:
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}{extra}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: app, image: "{image}", command: [app]}}]}}
"""


class Cluster:
    """A registry and an engine over it, which may be ended and begun again."""

    def __init__(self, checks: Checks = Checks()) -> None:  # noqa: B008 - immutable
        self.checks = checks
        self.clock = LoopClock()
        self.registry = Registry(MemoryStore(), clock=self.clock, entropy=SeededEntropy())
        self.history = MemoryHistory()
        self.outcomes: list[Outcome] = []
        self.files: dict[str, Files] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Cluster]:
        await self.registry.start()
        for name in ("default", "shop"):
            await self.registry.create(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        self.begin()
        try:
            yield self
            for task in self._tasks:
                if task.done():
                    task.result()
        finally:
            await self.end()
            await self.registry.close()

    def begin(self) -> None:
        """Start an engine."""
        cache = InformerCache(self.registry, KINDS, clock=self.clock)
        events = EventWriter(self.registry, self.clock)
        self.engine = engine = Engine(
            self.registry, cache, clock=self.clock, entropy=SeededEntropy(),
            recorder=Recorder(events, "test"), history=self.history,
            source_for=lambda app: self.source(app["metadata"]["name"]),
            observers=[self.outcomes.append], checks=self.checks,
        )  # fmt: skip
        self._tasks = [asyncio.create_task(run()) for run in (cache.run, engine.run, events.run)]

    async def end(self) -> None:
        """Stop it, as a daemon that dies."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def restart(self) -> None:
        await self.end()
        self.begin()
        await self.settle()

    def source(self, app: str) -> Files:
        return self.files.setdefault(app, Files())

    async def application(self, name: str = "app", /, **policy: Any) -> None:
        """Apply an Application; ``spec_*`` go beside its syncPolicy."""
        spec = {k.removeprefix("spec_"): v for k, v in policy.items() if k.startswith("spec_")}
        given = {k: v for k, v in policy.items() if not k.startswith("spec_")}
        sync = {"automated": {"prune": True, "selfHeal": True}, **given}
        sync = {k: v for k, v in sync.items() if v is not None}
        app: Object = {
            "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": name},
            "spec": {"source": {"directory": {"path": "/unused"}}, "syncPolicy": sync, **spec},
        }  # fmt: skip
        await self.registry.apply(app, field_manager="test", force=True)

    async def settle(self, seconds: float = 30) -> None:
        await self.clock.sleep(seconds)

    async def ask(self, app: str = "app", what: str = "sync", **annotations: str) -> dict[str, Any]:
        """Ask for a sync or a rollback, and return how that was answered."""
        at = rfc3339_micro(self.clock.now())
        given = {f"reconciler.dev/{what}-requested-at": at, "reconciler.dev/requested-by": "ada"}
        given |= {f"reconciler.dev/{k.replace('_', '-')}": v for k, v in annotations.items()}
        await self.registry.patch(kinds.APPLICATION, app, "", {"metadata": {"annotations": given}})
        await self.settle()
        answer = (await self.status(app))[f"last{what.capitalize()}Request"]
        assert answer["at"] == at
        return dict(answer)

    async def edit(self, name: str, value: str) -> None:
        """Change a ConfigMap by hand."""
        patch = {"data": {"value": value}}
        await self.registry.patch(kinds.CONFIG_MAP, name, "default", patch, field_manager="hand")

    async def values(self) -> dict[str, str]:
        """Return the ConfigMaps: name → value."""
        found = (await self.registry.list(kinds.CONFIG_MAP)).items
        return {o["metadata"]["name"]: o["data"]["value"] for o in found}

    async def status(self, app: str = "app") -> dict[str, Any]:
        found = await self.registry.get(kinds.APPLICATION, app)
        return dict(found.get("status") or {})

    async def sync(self, app: str = "app") -> str:
        return str((await self.status(app))["sync"]["status"])

    async def conditions(self, app: str = "app") -> dict[str, str]:
        return {c["type"]: c["message"] for c in (await self.status(app)).get("conditions") or ()}

    async def set_health(self, name: str, *, available: bool) -> None:
        """Play the Deployment controller."""
        found = await self.registry.get(kinds.DEPLOYMENT, name, "default")
        ready = 1 if available else 0
        status = {
            "observedGeneration": found["metadata"]["generation"], "replicas": 1,
            "updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready,
        }  # fmt: skip
        await self.registry.update({**found, "status": status}, subresource="status")

    async def reasons(self) -> list[str]:
        return [e["reason"] for e in (await self.registry.list(kinds.EVENT)).items]


REFUSED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: refused}\ndata: {value: '1'}\n"


def refuse(cluster: Cluster, error: type[Exception]) -> list[float]:
    """Let the API refuse an object of name ``refused``; returns when that was tried."""
    tried: list[float] = []
    apply = cluster.registry.apply

    async def refusing(obj: Object, **options: Any) -> Object:
        if obj["metadata"]["name"] == "refused" and not options.get("dry_run"):
            tried.append(cluster.clock.now())
            raise error("not here")
        return await apply(obj, **options)

    cluster.registry.apply = refusing  # type: ignore[method-assign]
    return tried
