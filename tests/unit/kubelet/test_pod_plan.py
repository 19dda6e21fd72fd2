"""The kubelet's plan for one Pod, as a table of what is seen and what is done."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.kubelet.actions import (
    PodPlan,
    RunSandbox,
    StartContainer,
    StopContainer,
    StopSandbox,
)
from reconciler.kubelet.observed import Failure, Observed, ProbeState
from reconciler.kubelet.pod import plan
from reconciler.kubelet.restarts import backoff
from reconciler.kubelet.status import pod_status
from reconciler.runtime.cri import ContainerState, ContainerStatus, SandboxState, SandboxStatus

NOW = 1_700_000_000.0
SANDBOX = SandboxStatus("box", "default", "p", "uid", 0, SandboxState.READY, NOW, "10.0.0.2")


def pod(*containers: str, init: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "uid": "uid", "generation": 1},
        "spec": {
            "containers": [{"name": n, "image": "i"} for n in containers or ("main",)],
            "initContainers": init or [],
            "restartPolicy": "Always",
            **spec,
        },
        "status": {"phase": "Pending"},
    }  # fmt: skip


def seen(
    name: str, *, code: int | None = None, attempt: int = 0, ran: float = 1.0, box: str = "box"
) -> ContainerStatus:
    """Return a container that runs, or (``code``) that has just ended after ``ran`` seconds."""
    state = ContainerState.RUNNING if code is None else ContainerState.EXITED
    return ContainerStatus(
        f"{name}-{attempt}", box, "uid", name, attempt, state, NOW - ran, NOW - ran,
        0.0 if code is None else NOW, code or 0, image="i",
    )  # fmt: skip


def observed(*containers: ContainerStatus, **more: Any) -> Observed:
    return Observed(sandboxes=(SANDBOX,), containers=containers, **more)


def started(found: PodPlan) -> list[tuple[str, int]]:
    return [(a.spec["name"], a.attempt) for a in found.actions if isinstance(a, StartContainer)]


def test_a_new_pod_gets_a_sandbox_and_then_its_containers_at_rest_nothing() -> None:
    assert plan(pod(), Observed(), NOW).actions == (RunSandbox(0),)
    assert started(plan(pod("a", "b"), observed(), NOW)) == [("a", 0), ("b", 0)]
    assert plan(pod("a", "b"), observed(seen("a"), seen("b")), NOW) == PodPlan()


def test_init_containers_run_one_after_the_other_before_the_rest() -> None:
    """P16, P17."""
    init = [{"name": "first", "image": "i"}, {"name": "second", "image": "i"}]
    assert started(plan(pod(init=init), observed(), NOW)) == [("first", 0)]
    assert started(plan(pod(init=init), observed(seen("first")), NOW)) == []
    one = seen("first", code=0)
    assert started(plan(pod(init=init), observed(one), NOW)) == [("second", 0)]
    assert started(plan(pod(init=init), observed(one, seen("second", code=0)), NOW)) == [
        ("main", 0)
    ]
    failed = observed(seen("first", code=1))
    assert started(plan(pod(init=init), failed, NOW)) == [("first", 1)]
    never = pod(init=init, restartPolicy="Never")
    assert plan(never, failed, NOW).ended
    status = pod_status(never, failed, NOW, host_ip="127.0.0.1", runtime="x", over=True)
    assert status["phase"] == "Failed"


def test_a_sidecar_starts_before_and_ends_after_the_others() -> None:
    """P18 (KEP-753)."""
    init = [{"name": "side", "image": "i", "restartPolicy": "Always", "startupProbe": {}}]
    waiting = observed(seen("side"), probes={"side-0": ProbeState(started=False, ready=False)})
    assert started(plan(pod(init=init), waiting, NOW)) == []
    up = observed(seen("side"), probes={"side-0": ProbeState()})
    assert started(plan(pod(init=init), up, NOW)) == [("main", 0)]
    ending = pod(init=init)
    ending["metadata"] |= {
        "deletionTimestamp": "2023-11-14T22:13:50Z",
        "deletionGracePeriodSeconds": 30,
    }
    both = plan(ending, observed(seen("side"), seen("main")), NOW)
    stops = {a.container.name: a for a in both.actions if isinstance(a, StopContainer)}
    assert stops["main"].after == frozenset()
    assert stops["side"].after == {"main"}


def test_sidecars_end_in_reverse_order() -> None:
    """P18: each after the containers and after the sidecars that started after it."""
    init = [
        {"name": "one", "image": "i", "restartPolicy": "Always"},
        {"name": "setup", "image": "i"},
        {"name": "two", "image": "i", "restartPolicy": "Always"},
    ]
    done = pod(init=init, restartPolicy="Never")
    alive = observed(seen("one"), seen("two"), seen("setup", code=0), seen("main", code=0))
    stops = {a.container.name: a for a in plan(done, alive, NOW).actions
             if isinstance(a, StopContainer)}  # fmt: skip
    assert stops["two"].after == {"main"}
    assert stops["one"].after == {"main", "two"}
    # What sidecars end with says nothing of the Pod (P14).
    ended = observed(seen("one", code=143), seen("two", code=137), seen("main", code=0))
    over = plan(done, ended, NOW)
    assert over.ended
    status = pod_status(done, ended, NOW, host_ip="127.0.0.1", runtime="x", over=True)
    assert status["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("crashes", "seconds"), [(1, 0), (2, 10), (3, 20), (4, 40), (6, 160), (7, 300), (50, 300)]
)
def test_the_wait_doubles_up_to_five_minutes(crashes: int, seconds: float) -> None:
    """P02, P03."""
    assert backoff(crashes) == seconds


def test_a_crash_loop_waits_and_says_so() -> None:
    """P02, P04: the first restart is at once, the next ones wait."""
    once = observed(seen("main", code=1), crashes={"main": 1})
    assert started(plan(pod(), once, NOW)) == [("main", 1)]
    again = observed(seen("main", code=1, attempt=1), crashes={"main": 2})
    waiting = plan(pod(), again, NOW)
    assert waiting.actions == ()
    assert waiting.requeue_after == 10
    status = pod_status(pod(), again, NOW, host_ip="127.0.0.1", runtime="x")
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["containerStatuses"][0]["restartCount"] == 1
    assert started(plan(pod(), again, NOW + 10)) == [("main", 2)]


@pytest.mark.parametrize(
    ("policy", "code", "restarts", "phase"),
    [("Always", 0, True, "Running"), ("OnFailure", 0, False, "Succeeded"),
     ("OnFailure", 1, True, "Running"), ("Never", 1, False, "Failed")],
)  # fmt: skip
def test_restart_policies(policy: str, code: int, restarts: bool, phase: str) -> None:
    """P07, P08, P09, P14, P15."""
    found = plan(pod(restartPolicy=policy), observed(seen("main", code=code)), NOW)
    assert bool(started(found)) == restarts
    assert found.ended != restarts
    status = pod_status(
        pod(restartPolicy=policy), observed(seen("main", code=code)), NOW,
        host_ip="127.0.0.1", runtime="x", over=found.ended,
    )  # fmt: skip
    assert status["phase"] == phase


def test_a_failing_liveness_probe_stops_the_container_once() -> None:
    """B07: with the Pod's grace."""
    dead = {"main-0": ProbeState(failed="liveness")}
    found = plan(pod(terminationGracePeriodSeconds=7), observed(seen("main"), probes=dead), NOW)
    (stop,) = found.actions
    assert isinstance(stop, StopContainer)
    assert stop.grace_seconds == 7
    stopping = observed(seen("main"), probes=dead, stopping={"main-0": NOW + 7})
    assert plan(pod(), stopping, NOW).actions == ()


def test_a_terminating_pod_leaves_the_balancers_first() -> None:
    """D08: no new connection reaches a Pod that was told to end."""
    ending = pod()
    ending["metadata"] |= {
        "deletionTimestamp": "2023-11-14T22:13:50Z",
        "deletionGracePeriodSeconds": 30,
    }
    still = plan(ending, observed(seen("main"), serving=True), NOW)
    assert still.actions == ()
    assert still.requeue_after is not None
    assert still.requeue_after <= 2
    gone = plan(ending, observed(seen("main")), NOW)
    assert isinstance(gone.actions[0], StopContainer)
    assert gone.actions[0].grace_seconds == 30
    ended = plan(ending, observed(seen("main", code=143)), NOW)
    assert ended.actions == (StopSandbox(SANDBOX),)
    assert ended.ended


def test_a_clock_that_was_set_back_makes_no_grace_longer() -> None:
    """D02: a Pod has its grace to end, not that and as long as the clock was set back."""
    ending = pod()
    ending["metadata"] |= {
        "deletionTimestamp": "2023-11-14T22:13:50Z",
        "deletionGracePeriodSeconds": 30,
    }
    (stop,) = plan(ending, observed(seen("main"), serving=True), NOW - 3600).actions
    assert isinstance(stop, StopContainer)
    assert stop.grace_seconds == 30


def test_a_lost_sandbox_is_replaced_and_everything_begins_again() -> None:
    lost = SANDBOX._replace(state=SandboxState.NOT_READY, ip="")
    found = plan(pod(), Observed(sandboxes=(lost,), containers=(seen("main", code=137),)), NOW)
    assert found.actions[-1] == RunSandbox(1)
    new = SANDBOX._replace(id="box-1", attempt=1)
    again = Observed(sandboxes=(lost, new), containers=(seen("main", code=137),))
    assert started(plan(pod(), again, NOW)) == [("main", 1)]


def test_what_cannot_start_is_tried_again_later() -> None:
    failure = {"main": Failure("ErrImageNeverPull", "no program", NOW + 5)}
    found = plan(pod(), observed(failures=failure), NOW)
    assert found.actions == ()
    assert found.requeue_after == 5
    status = pod_status(pod(), observed(failures=failure), NOW, host_ip="127.0.0.1", runtime="x")
    waiting = status["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "ErrImageNeverPull", "message": "no program"}


def test_a_debug_container_is_started_once_and_keeps_no_pod_from_its_end() -> None:
    """KEP-277: it never starts again, in whatever way it ended, and says nothing of the Pod's phase."""
    looked_at = pod(restartPolicy="Never", ephemeralContainers=[{"name": "look", "image": "i"}])
    main = seen("main")
    assert started(plan(looked_at, observed(main), NOW)) == [("look", 0)]
    assert not plan(looked_at, observed(main, seen("look")), NOW).actions
    ended = observed(main, seen("look", code=1))
    assert not plan(looked_at, ended, NOW + 3600).actions
    status = pod_status(looked_at, ended, NOW, host_ip="10.0.0.1", runtime="memory")
    (told,) = status["ephemeralContainerStatuses"]
    assert (told["state"]["terminated"]["exitCode"], told["ready"]) == (1, False)
    assert status["phase"] == "Running"
    forgotten = {**looked_at, "status": status}
    assert not started(plan(forgotten, observed(main), NOW))
    over = observed(seen("main", code=0), seen("look"))
    assert [
        a.container.name for a in plan(looked_at, over, NOW).actions if isinstance(a, StopContainer)
    ] == ["look"]


def test_conditions_move_only_when_they_change() -> None:
    first = pod_status(pod(), observed(seen("main")), NOW, host_ip="127.0.0.1", runtime="x")
    ready = next(c for c in first["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "True"
    later = pod() | {"status": first}
    second = pod_status(later, observed(seen("main")), NOW + 60, host_ip="127.0.0.1", runtime="x")
    assert second["conditions"] == first["conditions"]
