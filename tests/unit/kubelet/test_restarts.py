"""Which container is started again after its end, and after which wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.kubelet.actions import StopContainer
from reconciler.kubelet.pod import plan
from reconciler.kubelet.restarts import restarts
from reconciler.kubelet.status import pod_status
from tests.unit.kubelet.test_pod_plan import NOW, observed, pod, seen, started

if TYPE_CHECKING:
    from reconciler.runtime.cri import ContainerStatus

RULES = [
    {"action": "Restart", "exitCodes": {"operator": "In", "values": [42, 43]}},
    {"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [0, 1]}},
]


@pytest.mark.parametrize(
    ("own", "rules", "pods", "code", "again"),
    [
        (None, None, "Never", 1, False),
        ("Always", None, "Never", 0, True),
        ("OnFailure", None, "Never", 0, False),
        ("OnFailure", None, "Never", 3, True),
        ("Never", None, "Always", 3, False),
        ("Never", RULES, "Always", 42, True),
        ("Never", RULES, "Always", 7, True),
        ("Never", RULES, "Always", 1, False),
        ("Never", RULES, "Always", 0, False),
        # Rules without a policy of the container's own are not looked at.
        (None, RULES, "Never", 42, False),
    ],
)
def test_a_containers_rules_come_before_its_policy_and_that_before_the_pods(
    own: str | None, rules: list[Any] | None, pods: str, code: int, again: bool
) -> None:
    """P10."""
    container: dict[str, Any] = {"name": "main", "image": "i"}
    if own:
        container["restartPolicy"] = own
    if rules:
        container["restartPolicyRules"] = rules
    assert restarts({"restartPolicy": pods}, container, code) == again
    made = pod(restartPolicy=pods)
    made["spec"]["containers"] = [container]
    found = plan(made, observed(seen("main", code=code)), NOW)
    assert bool(started(found)) == again
    assert found.ended != again


def test_an_init_container_of_its_own_policy_fails_the_pod_at_once() -> None:
    """P10, P16."""
    init = [{"name": "setup", "image": "i", "restartPolicy": "Never"}]
    failed = observed(seen("setup", code=3))
    assert plan(pod(init=init), failed, NOW).ended
    assert started(plan(pod(init=init, restartPolicy="Never"), observed(), NOW)) == [("setup", 0)]
    status = pod_status(pod(init=init), failed, NOW, host_ip="h", runtime="x", over=True)
    assert status["phase"] == "Failed"


def _of(image: str, status: ContainerStatus) -> ContainerStatus:
    return status._replace(image=image)


def test_a_changed_image_replaces_only_its_container_in_place() -> None:
    """P45: whatever the restart policy, and with the grace of the Pod."""
    changed = pod("main", "other", restartPolicy="Never", terminationGracePeriodSeconds=9)
    running = observed(_of("old", seen("main")), seen("other"))
    (stop,) = plan(changed, running, NOW).actions
    assert isinstance(stop, StopContainer)
    assert (stop.container.name, stop.grace_seconds, stop.replace) == ("main", 9, True)
    assert stop.why == "Container main definition changed, will be restarted"
    under_way = observed(
        _of("old", seen("main")), seen("other"), stopping={"main-0": NOW + 9},
    )  # fmt: skip
    assert plan(changed, under_way, NOW).actions == ()
    ended = observed(
        _of("old", seen("main", code=143)), seen("other"), replaced=frozenset({"main-0"})
    )
    assert started(plan(changed, ended, NOW)) == [("main", 1)]


def test_a_container_that_ended_before_its_image_changed_follows_its_policy() -> None:
    ended = observed(_of("old", seen("main", code=0)))
    assert plan(pod(restartPolicy="Never"), ended, NOW).ended


def test_another_image_starts_without_the_wait_of_the_one_before() -> None:
    """P06."""
    crashed = seen("main", code=1, attempt=5)
    waits = plan(pod(), observed(crashed, crashes={"main": 6}), NOW)
    assert started(waits) == []
    assert waits.requeue_after == 160
    fresh = plan(pod(), observed(_of("old", crashed), crashes={"main": 6}), NOW)
    assert started(fresh) == [("main", 6)]


def test_counts_go_on_where_the_runtime_has_forgotten_the_container() -> None:
    """P20: restartCount only grows."""
    known = pod()
    known["status"]["containerStatuses"] = [
        {"name": "main", "restartCount": 4, "containerID": "x://gone", "state": {}}
    ]
    assert started(plan(known, observed(), NOW)) == [("main", 5)]
    status = pod_status(known, observed(), NOW, host_ip="h", runtime="x")
    assert status["containerStatuses"][0]["restartCount"] == 4


def test_an_end_that_lies_ahead_is_not_waited_for() -> None:
    """The clock was set back: a crash loop would stand still until it has come round again."""
    again = observed(seen("main", code=1, attempt=1), crashes={"main": 2})
    assert not started(plan(pod(), again, NOW))
    assert started(plan(pod(), again, NOW - 3600)) == [("main", 2)]
