"""A Pod's phase, reasons and conditions, from what is seen."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.clock import rfc3339
from reconciler.kubelet.observed import Failure, Observed, ProbeState
from reconciler.kubelet.pod import plan
from reconciler.kubelet.status import pod_status
from tests.unit.kubelet.test_pod_plan import NOW, observed, pod, seen, started


def told(of: dict[str, Any], look: Observed, now: float = NOW, **more: Any) -> dict[str, Any]:
    return pod_status(of, look, now, host_ip="127.0.0.1", runtime="x", **more)


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in status["conditions"] if c["type"] == kind)
    return found


def test_a_pod_is_pending_until_all_of_its_containers_have_started_once() -> None:
    """P11, P12, P13."""
    two = pod("a", "b")
    failure = {"b": Failure("ErrImagePull", "no such image", NOW + 5)}
    assert told(two, observed(seen("a"), failures=failure))["phase"] == "Pending"
    assert told(two, observed(seen("a"), seen("b")))["phase"] == "Running"
    crashed = observed(seen("a"), seen("b", code=1, attempt=3), crashes={"b": 4})
    assert told(two, crashed)["phase"] == "Running"


def test_a_readiness_gate_keeps_a_pod_unready_and_says_why() -> None:
    gated = pod(readinessGates=[{"conditionType": "example.com/a"}, {"conditionType": "b"}])
    first = condition(told(gated, observed(seen("main"))), "Ready")
    assert (first["status"], first["reason"]) == ("False", "ReadinessGatesNotReady")
    assert first["message"] == (
        'corresponding condition of pod readiness gate "example.com/a" does not exist., '
        'corresponding condition of pod readiness gate "b" does not exist.'
    )
    gated["status"]["conditions"] = [
        {"type": "example.com/a", "status": "True"}, {"type": "b", "status": "False"},
    ]  # fmt: skip
    second = told(gated, observed(seen("main")))
    assert condition(second, "Ready")["message"] == (
        'the status of pod readiness gate "b" is not "True", but False'
    )
    assert condition(second, "ContainersReady")["status"] == "True"
    gated["status"]["conditions"][1]["status"] = "True"
    assert condition(told(gated, observed(seen("main"))), "Ready")["status"] == "True"


def test_readiness_goes_on_while_a_pod_ends() -> None:
    """B13, D08: an endpoint goes on serving until the container ends or its probe fails."""
    ending = pod()
    ending["metadata"]["deletionTimestamp"] = rfc3339(NOW + 30)
    assert condition(told(ending, observed(seen("main"))), "Ready")["status"] == "True"
    unready = observed(seen("main"), probes={"main-0": ProbeState(ready=False)})
    assert condition(told(ending, unready), "Ready")["status"] == "False"


@pytest.mark.parametrize(("code", "ended_at", "reason"), [
    (143, 10, "DeadlineExceeded"), (0, 10, "DeadlineExceeded"), (0, 4, None),
])  # fmt: skip
def test_what_outlives_its_deadline_fails(code: int, ended_at: int, reason: str | None) -> None:
    """P19: but not what had ended by itself before."""
    limited = pod(activeDeadlineSeconds=5, restartPolicy="Never")
    limited["status"]["startTime"] = rfc3339(NOW)
    if ended_at > 5:
        stop = plan(limited, observed(seen("main")), NOW + 6)
        assert stop.ending
        assert told(limited, observed(seen("main")), NOW + 6)["phase"] == "Running"
    last = seen("main", code=code)._replace(finished_at=NOW + ended_at)
    over = told(limited, observed(last), NOW + 20, over=True)
    assert over.get("reason") == reason
    assert over["phase"] == ("Failed" if reason else "Succeeded")


def test_the_first_reason_of_a_failed_pod_stays() -> None:
    failed = pod(activeDeadlineSeconds=5)
    failed["status"] |= {"phase": "Failed", "reason": "Evicted", "message": "too much",
                         "startTime": rfc3339(NOW)}  # fmt: skip
    status = told(failed, observed(seen("main", code=137)), NOW + 60, over=True)
    assert (status["phase"], status["reason"], status["message"]) == (
        "Failed",
        "Evicted",
        "too much",
    )


def test_initialising_is_said_of_the_pod_and_its_containers() -> None:
    """P11, P17: a sidecar counts once it has started, not once it is ready."""
    init: list[dict[str, Any]] = [
        {"name": "side", "image": "i", "restartPolicy": "Always", "readinessProbe": {}},
        {"name": "setup", "image": "i"},
    ]
    waiting = pod(init=init)
    status = told(waiting, observed(seen("side"), seen("setup")))
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    first = condition(status, "Initialized")
    assert first["reason"] == "ContainersNotInitialized"
    assert first["message"] == "containers with incomplete status: [setup]"
    done = told(waiting, observed(seen("side"), seen("setup", code=0)))
    assert condition(done, "Initialized")["status"] == "True"
    assert done["initContainerStatuses"][1]["state"]["terminated"]["reason"] == "Completed"


def test_an_image_that_cannot_be_pulled_is_told_in_two_words() -> None:
    """P22."""
    failure = Failure("ErrImagePull", "not there", NOW + 10, NOW + 1, "ImagePullBackOff", "waits")
    look = observed(failures={"main": failure})
    assert plan(pod(), look, NOW).requeue_after == 1
    first = told(pod(), look)["containerStatuses"][0]
    assert first["state"]["waiting"] == {"reason": "ErrImagePull", "message": "not there"}
    assert plan(pod(), look, NOW + 1).requeue_after == 9
    later = told(pod(), look, NOW + 1)["containerStatuses"][0]
    assert later["state"]["waiting"] == {"reason": "ImagePullBackOff", "message": "waits"}
    assert started(plan(pod(), look, NOW + 10)) == [("main", 0)]


def test_a_status_names_what_its_containers_were_given() -> None:
    rich = pod()
    rich["spec"]["containers"][0] |= {
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
    }
    (status,) = told(rich, observed(seen("main")))["containerStatuses"]
    assert status["containerID"] == "x://main-0"
    assert status["allocatedResources"] == {"cpu": "100m"}
    assert status["resources"] == {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}}
    assert status["volumeMounts"] == [
        {"name": "data", "mountPath": "/data", "readOnly": True, "recursiveReadOnly": "Disabled"}
    ]


def test_what_was_lost_is_not_taken_for_a_success() -> None:
    lost = pod(restartPolicy="Never")
    lost["status"]["containerStatuses"] = [
        {"name": "main", "restartCount": 0, "containerID": "x://a", "state": {"running": {}}}
    ]
    status = told(lost, observed(), over=True)
    assert status["phase"] == "Failed"
    ended = status["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown")
