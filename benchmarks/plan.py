"""What a plan costs: of OBJECTS objects, 100 have changed; then of twice as many.

    python benchmarks/plan.py [OBJECTS]

`compared` is what the engine does with a new revision: the changed objects against a registry in memory (a dry run of an
apply each), then the graph over all. `graph` is the latter alone, `all new` the graph where every object is created, with
the references of each. Figures are CPU seconds, the best of three.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from reconciler.api import kinds
from reconciler.api.objects import Key
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.control import EventWriter, InformerCache, Recorder
from reconciler.daemon import collector
from reconciler.gitops.engine import KINDS
from reconciler.gitops.engine.claims import Claims
from reconciler.gitops.engine.comparing import Comparer
from reconciler.gitops.engine.desired import Wanted, digest_of
from reconciler.gitops.engine.outcomes import Outcomes
from reconciler.gitops.engine.policy.settings import Retention
from reconciler.gitops.engine.shared import Shared, at_once, no_log
from reconciler.gitops.history import MemoryHistory
from reconciler.gitops.plan import Change, plan
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from reconciler.api.objects import Object

CHANGED = 100
OWNED = {"reconciler.dev/application": "many"}


def objects(count: int, value: str) -> list[Object]:
    """Return as many objects: a ConfigMap, a Secret, a Service and a Deployment that uses them, in three waves."""
    made: list[Object] = []
    for number in range(count // 4):
        meta = {"namespace": "default", "annotations": OWNED}
        labels = {"app": f"app-{number}"}
        reads = [
            {"configMapRef": {"name": f"config-{number}"}},
            {"secretRef": {"name": f"key-{number}"}},
        ]
        container = {"name": "app", "image": "app:1", "command": ["app"], "envFrom": reads}
        wave = {**OWNED, "reconciler.dev/sync-wave": str(number % 3)}
        made += [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"config-{number}", **meta}, "data": {"v": value}},
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"key-{number}", **meta}, "data": {"v": "MQ=="}},
            {
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": f"app-{number}", **meta},
                "spec": {"selector": labels, "clusterIP": "None", "ports": [{"port": 80}]},
            },
            {
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": f"app-{number}", "namespace": "default", "annotations": wave},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                },
            },
        ]  # fmt: skip
    return made


def wanted_of(made: list[Object]) -> dict[Key, Wanted]:
    return {Key.of(o): Wanted(o, digest_of(o), kinds.kind_of(o)) for o in made}


def graph(made: list[Object], changed: int) -> float:
    every = len(made) // changed
    changes = [
        Change("create" if n % every == 0 else "unchanged", Key.of(o), o)
        for n, o in enumerate(made)
    ]
    best = 1e9
    for _ in range(3):
        begun = time.process_time()
        plan(changes)
        best = min(best, time.process_time() - begun)
    return best


async def compared(count: int) -> float:
    clock, entropy = SystemClock(), SystemEntropy()
    registry = Registry(MemoryStore(), clock=clock, entropy=entropy)
    await registry.start()
    await registry.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    )
    cache = InformerCache(registry, KINDS, clock=clock)
    running = asyncio.create_task(cache.run())
    before = objects(count, "0")
    for obj in before:
        await registry.apply(obj, field_manager="reconciler:many", force=True)
    await cache.synced()

    def no_source(_: Any) -> Any:
        raise NotImplementedError

    shared = Shared(
        registry, cache, clock, entropy, Recorder(EventWriter(registry, clock), "benchmark"), None,
        no_source, b"mask", Outcomes(), MemoryHistory(), Retention(), Claims(lambda _: None), at_once,
        no_log, None, None,
    )  # fmt: skip
    best = 1e9
    for turn in range(3):
        comparer = Comparer(shared, "many")
        await comparer.compare(wanted_of(before), everything=True)
        step = count // 4 // CHANGED
        after = list(before)
        for number in range(CHANGED):
            at = number * step * 4
            after[at] = {**before[at], "data": {"v": f"{turn + 1}"}}
        wanted = wanted_of(after)
        begun = time.process_time()
        comparer.moved(
            k
            for k, w in wanted.items()
            if w.object["kind"] == "ConfigMap" and w.object["data"]["v"] != "0"
        )
        changes = await comparer.compare(wanted, everything=False)
        known = {c.key for c in changes}
        rest = (Change("unchanged", k, w.object) for k, w in wanted.items() if k not in known)
        found = plan([*changes, *rest])
        best = min(best, time.process_time() - begun)
        assert found.counts()["update"] == CHANGED, found.counts()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return best


def main() -> None:
    collector.tune()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"{'objects':>8} {'compared':>10} {'graph':>10} {'all new':>10}")
    for number in (count, 2 * count):
        made = objects(number, "0")
        row = (asyncio.run(compared(number)), graph(made, CHANGED), graph(made, number))
        print(f"{number:>8} " + " ".join(f"{seconds * 1000:>7.0f} ms" for seconds in row))


if __name__ == "__main__":
    main()
