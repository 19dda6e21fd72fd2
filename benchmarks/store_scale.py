"""What the registry over SQLite costs with many objects: writing, listing, following and starting up.

    python benchmarks/store_scale.py [OBJECTS]

Prints CPU seconds for OBJECTS ConfigMaps and for half of them: a ratio of 2 is a cost that is linear in N.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from reconciler.api import kinds
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.registry import Registry
from reconciler.store.sqlite import SqliteStore

#: Writes that wait together: the store commits them as one group.
TOGETHER = 500


async def measure(objects: int) -> dict[str, float]:
    """Return CPU seconds by what was done."""
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        clock, entropy = SystemClock(), SystemEntropy()
        registry = Registry(SqliteStore(path), clock=clock, entropy=entropy)
        await registry.start()
        await registry.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        since = str(registry.revision)
        began = time.process_time()
        for first in range(0, objects, TOGETHER):
            await asyncio.gather(
                *(
                    registry.create(
                        {
                            "apiVersion": "v1", "kind": "ConfigMap",
                            "metadata": {"name": f"c-{number}", "namespace": "n"},
                            "data": {"value": str(number)},
                        }
                    )
                    for number in range(first, min(first + TOGETHER, objects))
                )
            )  # fmt: skip
        took["create"] = time.process_time() - began
        began = time.process_time()
        listed = await registry.list(kinds.CONFIG_MAP, "n")
        took["list"] = time.process_time() - began
        assert len(listed.items) == objects
        began = time.process_time()
        window = str(max(int(since), registry.revision - 10_000))
        events = registry.watch(kinds.CONFIG_MAP, since=window)
        for _ in range(registry.revision - int(window)):
            await anext(events)
        await events.aclose()
        took["watch 10,000"] = time.process_time() - began
        await registry.close()
        began = time.process_time()
        again = Registry(SqliteStore(path), clock=clock, entropy=entropy)
        await again.start()
        took["start"] = time.process_time() - began
        assert again.revision == int(window) + 10_000
        await again.close()
    return took


def main() -> None:
    objects = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    half = asyncio.run(measure(objects // 2))
    whole = asyncio.run(measure(objects))
    for what, seconds in whole.items():
        ratio = seconds / half[what] if half[what] else 0.0
        print(f"{what:>13}: {seconds:7.3f} CPU s, ratio to half of it {ratio:.2f}")


if __name__ == "__main__":
    main()
