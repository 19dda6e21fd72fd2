"""Every figure of a daemon: named as Prometheus wants it, documented, and the ones that the dashboard asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.api import kinds
from reconciler.clock import LoopClock, SeededEntropy
from reconciler.control import EventWriter, InformerCache, Plane
from reconciler.controllers import all_controllers
from reconciler.daemon.metrics import Metrics
from reconciler.gitops.engine import Outcome, OutcomeKind, SyncMeasures
from reconciler.kubelet.measures import KubeletMeasures
from reconciler.proxy.measures import ProxyMeasures
from reconciler.proxy.table import RoutingTable
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from reconciler.telemetry.measures import Family, Measured

DOCS = Path(__file__).parents[3] / "docs"
#: Units of Prometheus' conventions that our names end in; the rest are counts without a unit.
UNITS = ("_seconds", "_bytes")


class _Kubelet:
    def __init__(self) -> None:
        self.counted = KubeletMeasures()

    def measures(self) -> list[Family]:
        return self.counted.families([])


class _Proxy:
    def __init__(self) -> None:
        self.counted = ProxyMeasures()

    def measures(self) -> list[Family]:
        return self.counted.families(RoutingTable(), 0)


def application(name: str) -> dict[str, object]:
    return {
        "apiVersion": "reconciler.dev/v1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {"source": {"directory": {"path": "/srv"}}},
        "status": {
            "sync": {"status": "OutOfSync"},
            "health": {"status": "Degraded"},
            "resources": [
                {"kind": "Pod", "status": "Synced", "health": {"status": "Healthy"}},
                {"kind": "Pod", "status": "OutOfSync", "health": {"status": "Degraded"}},
            ],
        },
    }


@pytest.fixture
async def scraped() -> dict[str, Metric]:
    clock = LoopClock()
    registry = Registry(MemoryStore(), clock=clock, entropy=SeededEntropy())
    await registry.start()
    cache = InformerCache(registry, kinds.KINDS, clock=clock)
    plane = Plane(registry, cache, all_controllers(), EventWriter(registry, clock), clock=clock)
    syncs = SyncMeasures(cache.snapshot)
    app = application("shop")
    cache._take(cache._followed["reconciler.dev", "Application"], "ADDED", app)  # type: ignore[arg-type]
    for kind, seconds in (
        (OutcomeKind.STARTED, None), (OutcomeKind.SUCCEEDED, 0.2), (OutcomeKind.FAILED, 2.0),
        (OutcomeKind.DRIFT, None),
    ):  # fmt: skip
        syncs.count(Outcome(kind, app, "r", "", at=100.0, seconds=seconds))
    parts: list[Measured] = [registry, plane, syncs, _Kubelet(), _Proxy()]
    text, _ = await Metrics(parts, runtime="process").text("text/plain")
    await registry.close()
    return {m.name: m for m in text_string_to_metric_families(text.decode())}


def samples(metric: Metric) -> dict[tuple[str, ...], float]:
    return {
        tuple(value for _, value in sorted(s.labels.items())): s.value
        for s in metric.samples
        if not s.name.endswith("_bucket")
    }


async def test_names_follow_the_conventions(scraped: dict[str, Metric]) -> None:
    ours = {n: m for n, m in scraped.items() if n.startswith("reconciler_")}
    assert len(ours) >= 30
    for name, metric in ours.items():
        assert re.fullmatch(r"reconciler(_[a-z]+)+", name)
        assert metric.documentation.endswith("."), name
        if "duration" in name or "timestamp" in name or "size" in name:
            assert name.endswith(UNITS), name
        assert not name.endswith("_total") or metric.type == "counter"


async def test_an_application_is_told_as_it_is(scraped: dict[str, Metric]) -> None:
    info = samples(scraped["reconciler_application_info"])
    assert info == {("shop", "Degraded", "false", "OutOfSync"): 1}
    assert samples(scraped["reconciler_application_out_of_sync_resources"]) == {("shop",): 1}
    assert samples(scraped["reconciler_application_resources"]) == {
        ("shop", "Degraded"): 1, ("shop", "Healthy"): 1,
    }  # fmt: skip
    assert samples(scraped["reconciler_application_syncs"]) == {
        ("shop", "succeeded"): 1, ("shop", "failed"): 1,
    }  # fmt: skip
    assert samples(scraped["reconciler_application_drifts"]) == {("shop",): 1}
    assert samples(scraped["reconciler_application_last_sync_timestamp_seconds"]) == {
        ("shop",): 100
    }


def names_of(scraped: dict[str, Metric]) -> set[str]:
    """Return every name under which something may be asked for."""
    found = set()
    for name, metric in scraped.items():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        found |= {name + s for s in suffixes.get(metric.type, [""])}
    return found


async def test_the_dashboard_asks_for_what_there_is(scraped: dict[str, Metric]) -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    queries = [t["expr"] for p in dashboard["panels"] for t in p.get("targets", ())]
    queries += [v["query"] for v in dashboard["templating"]["list"]]
    asked = {n for q in queries for n in re.findall(r"\b(?:reconciler|process)_[a-z_]+", q)}
    assert len(asked) > 25
    assert asked <= names_of(scraped)
    assert len({p["id"] for p in dashboard["panels"]}) == len(dashboard["panels"])


async def test_every_figure_is_on_the_page(scraped: dict[str, Metric]) -> None:
    page = (DOCS / "operating.md").read_text()
    told = set(re.findall(r"`(reconciler_[a-z_]+)", page))
    there = {n + ("_total" if m.type == "counter" else "") for n, m in scraped.items()}
    assert told == {n for n in there if n.startswith("reconciler_")}
