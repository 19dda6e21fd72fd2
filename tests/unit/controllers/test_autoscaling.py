"""HorizontalPodAutoscalers: from usage to a size, and how fast."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api.metrics import PodUsage, Usage
from reconciler.api.objects import Key
from reconciler.api.pods import condition
from reconciler.clock import rfc3339
from reconciler.controllers.autoscaling import HorizontalPodAutoscalerController
from reconciler.controllers.autoscaling.behavior import Event, History, rules, settle
from reconciler.registry.admission import default
from tests.unit.controllers.snapshot import World, workload

_HPA = Key("autoscaling", "HorizontalPodAutoscaler", "default", "web")
_WEB = Key("apps", "Deployment", "default", "web")


class _Measured:
    """What Pods use, as the test says."""

    def __init__(self) -> None:
        self.pods: dict[str, PodUsage] = {}

    def usage(self, uid: str) -> PodUsage | None:
        return self.pods.get(uid)


class _Case:
    """A Deployment with Pods that ask for 1000m and 1Gi each, and its autoscaler."""

    def __init__(self, replicas: int, metric: dict[str, Any] | None = None, **spec: Any) -> None:
        self.world, self.source = World(), _Measured()
        self.world.add(workload("Deployment", replicas))
        ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        body = {"scaleTargetRef": ref, "minReplicas": 1, "maxReplicas": 20, **spec}
        if metric is not None:
            body["metrics"] = [metric]
        self.world.add(
            default(
                {
                    "apiVersion": "autoscaling/v2",
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "web", "namespace": "default"},
                    "spec": body,
                }
            )
        )
        self.controller = HorizontalPodAutoscalerController(self.source)

    def pod(
        self, name: str, cpu: float | None = 0, memory: int = 0, *, ready: bool = True,
        started: float = 1000, phase: str = "Running", request: str | None = "1",
    ) -> None:  # fmt: skip
        begun = rfc3339(self.world.now - started)
        conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": begun}]
        container: dict[str, Any] = {"name": "web", "image": "one"}
        if request is not None:
            container["resources"] = {"requests": {"cpu": request, "memory": "1Gi"}}
        pod = self.world.add(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
                "spec": {"containers": [container]},
                "status": {"phase": phase, "startTime": begun, "conditions": conditions},
            }
        )
        if cpu is not None:
            found = {"web": Usage(cpu, memory)}
            self.source.pods[pod["metadata"]["uid"]] = PodUsage(self.world.now, 15, found)

    def plan(self, after: float = 15) -> int:
        self.world.now += after
        self.world.step(self.controller)
        return int(self.world.objects[_WEB]["spec"]["replicas"])

    def reason(self, kind: str) -> str:
        return str((condition(self.world.objects[_HPA], kind) or {}).get("reason"))


def _cpu(percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _average(name: str, value: str) -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": value}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


@pytest.mark.parametrize(
    ("usages", "percent", "size"),
    [
        ((300, 500, 700), 30, 5),  # 50 % of what is asked for, 30 % wanted
        ((1010, 1030, 1020), 100, 3),  # within the tolerance of 10 %
        ((100, 300, 500, 250, 250), 50, 3),  # 28 %
        ((0, 0, 0), 50, 1),  # no fewer than minReplicas
        ((9000, 9000, 9000), 10, 7),  # no more than 4 Pods or 100 % in 15 s
    ],
)
def test_the_size_follows_usage(usages: tuple[int, ...], percent: int, size: int) -> None:
    down = {"stabilizationWindowSeconds": 0}
    case = _Case(len(usages), _cpu(percent), behavior={"scaleDown": down})
    for number, cpu in enumerate(usages):
        case.pod(f"p{number}", cpu)
    assert case.plan() == size
    (shown,) = case.world.objects[_HPA]["status"]["currentMetrics"]
    average = sum(usages) // len(usages)
    assert shown["resource"]["current"]["averageValue"] == f"{average}m"
    assert shown["resource"]["current"]["averageUtilization"] == average // 10


def test_an_average_needs_no_requests_and_memory_is_bytes() -> None:
    case = _Case(2, _average("memory", "100Mi"))
    for name in "ab":
        case.pod(name, memory=150 << 20, request=None)
    assert case.plan() == 3
    assert "memory resource above target" in case.world.notices[-1]


def test_the_metric_that_wants_most_decides() -> None:
    case = _Case(2, metrics=[_cpu(100), _average("memory", "100Mi")])
    for name in "ab":
        case.pod(name, cpu=100, memory=300 << 20)
    assert case.plan() == 6


def test_a_share_of_what_is_not_asked_for_cannot_be_known() -> None:
    case = _Case(1, _cpu(50))
    case.pod("a", 900, request=None)
    assert case.plan() == 1
    assert case.reason("ScalingActive") == "FailedGetResourceMetric"
    assert any("missing request for cpu in container web" in told for told in case.world.notices)


def test_what_is_not_measured_speaks_against_a_change() -> None:
    """Missing Pods are taken to use nothing when growing, all they ask for when shrinking."""
    grow = _Case(3, _cpu(50))
    for name in "ab":
        grow.pod(name, 800)
    grow.pod("c", None)
    assert grow.plan() == 3  # 53 % of three is tolerated; without c it would be 80 % of two
    shrink = _Case(3, _cpu(50), behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    for name in "ab":
        shrink.pod(name, 100)
    shrink.pod("c", None)
    assert shrink.plan() == 3


def test_pods_that_are_warming_up_do_not_count() -> None:
    """Their CPU is that of a start; when growing they are taken to use nothing."""
    case = _Case(3, _cpu(50))
    case.pod("a", 1000)
    case.pod("b", 5000, ready=False, started=60)
    case.pod("c", 5000, phase="Pending")
    assert case.plan() == 3


def test_shrinking_waits_for_the_window() -> None:
    """The highest of five minutes' recommendations is kept; so also after a restart."""
    case = _Case(4, _cpu(50))
    for number in range(4):
        case.pod(f"p{number}", 100)
    assert case.plan() == 4
    assert case.reason("AbleToScale") == "ScaleDownStabilized"
    for _ in range(19):
        assert case.plan() == 4
    assert case.plan() == 1
    restarted = _Case(4, _cpu(50))
    restarted.pod("a", 100)
    assert restarted.plan() == 4


def test_the_size_stays_within_its_limits() -> None:
    case = _Case(2, _cpu(10), maxReplicas=3)
    for name in "ab":
        case.pod(name, 1000)
    assert case.plan() == 3
    assert case.reason("ScalingLimited") == "TooManyReplicas"
    above = _Case(9, _cpu(10), maxReplicas=5)
    assert above.plan() == 5
    below = _Case(1, _cpu(10), minReplicas=3)
    assert below.plan() == 3


def test_nothing_is_decided_without_a_target_or_at_zero() -> None:
    case = _Case(0, _cpu(50))
    assert case.plan() == 0
    assert case.reason("ScalingActive") == "ScalingDisabled"
    del case.world.objects[_WEB]
    case.world.now += 15
    case.world.step(case.controller)
    assert case.reason("AbleToScale") == "FailedGetScale"


def test_usage_is_looked_at_once_a_period() -> None:
    case = _Case(1, _cpu(50))
    case.pod("a", 200)
    case.plan()
    decision = case.controller.plan(_HPA, case.world, case.world.now + 5)
    assert decision.requeue_after == 10
    assert not decision.actions


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    """Looks, Pods' starts and recommendations that lie ahead are of before it was."""
    case = _Case(1, _cpu(50))
    case.pod("a", 200, started=10)
    case.plan()
    case.world.now -= 3600
    for uid, found in case.source.pods.items():
        case.source.pods[uid] = found._replace(at=case.world.now, containers={"web": Usage(900, 0)})
    decision = case.controller.plan(_HPA, case.world, case.world.now)
    case.world.perform(decision)
    assert decision.requeue_after == 15
    assert case.world.objects[_WEB]["spec"]["replicas"] == 2


def _settle(
    current: int, wanted: int, behavior: dict[str, Any], history: History, now: float
) -> int:
    spec = {"behavior": behavior}
    up, down = rules(spec, "scaleUp"), rules(spec, "scaleDown")
    return settle(current, wanted, 1, 100, up, down, history, now).replicas


_POLICIES = [
    {"type": "Pods", "value": 4, "periodSeconds": 60},
    {"type": "Percent", "value": 10, "periodSeconds": 60},
]


@pytest.mark.parametrize(
    ("direction", "select", "added_ago", "size"),
    [
        # Ten of the sixty were added within the policies' minute: it began with fifty.
        ("scaleUp", "Max", 20, 60),  # 54 and 55 are below what there is: nothing is taken back
        ("scaleUp", "Max", 90, 66),
        ("scaleUp", "Min", 90, 64),
        ("scaleUp", "Disabled", 90, 60),
        ("scaleDown", "Max", 20, 45),
        ("scaleDown", "Min", 20, 46),
        ("scaleDown", "Max", 90, 54),
        ("scaleDown", "Disabled", 90, 60),
    ],
)
def test_policies_count_from_the_begin_of_their_period(
    direction: str, select: str, added_ago: float, size: int
) -> None:
    rule = {"policies": _POLICIES, "selectPolicy": select, "stabilizationWindowSeconds": 0}
    history = History(up=(Event(1000.0 - added_ago, 10),))
    wanted = 100 if direction == "scaleUp" else 1
    assert _settle(60, wanted, {direction: rule}, history, 1000.0) == size


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 40), st.integers(0, 60), st.integers(0, 10), st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 400), st.integers(1, 40)), max_size=6),
)  # fmt: skip
def test_a_size_is_always_within_its_limits_and_never_the_wrong_way(
    current: int, wanted: int, least: int, span: int, past: list[tuple[float, int]]
) -> None:
    history = History(recommended=tuple(Event(1000 - ago, number) for ago, number in past))
    most = least + span
    current = min(max(current, least), most)
    up, down = rules({}, "scaleUp"), rules({}, "scaleDown")
    size = settle(current, wanted, least, most, up, down, history, 1000.0)
    assert least <= size.replicas <= most
    if size.replicas > current:
        assert wanted > current
    if size.replicas < current:
        assert wanted < current
