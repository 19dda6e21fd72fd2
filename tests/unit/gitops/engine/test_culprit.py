"""Who keeps an Application from being healthy is named down to the container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.objects import Key, Object
from reconciler.gitops.engine.culprit import find_culprit
from reconciler.gitops.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.decision import Snapshot
    from reconciler.api.kinds import Kind

WEB = Key("apps", "Deployment", "shop", "web")
LIVE: Object = {"kind": "Deployment", "metadata": {"name": "web", "uid": "d"}}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
CRASHES = {
    "containerStatuses": [
        {"name": "side", "ready": True, "state": {"running": {}}},
        {
            "name": "app", "ready": False,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
        },
    ]
}  # fmt: skip
UNPLACED = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "no Node has 9 CPU"}]}  # fmt: skip
NOT_READY = {"containerStatuses": [{"name": "app", "ready": False, "state": {"running": {}}}]}


class Owned:
    """A snapshot in which a Deployment has one ReplicaSet, and that these Pods."""

    def __init__(self, *statuses: dict[str, Any]) -> None:
        self._pods = [
            {"kind": "Pod", "metadata": {"name": f"web-{i}", "uid": f"p{i}"}, "status": s}
            for i, s in enumerate(statuses)
        ]

    def owned(self, kind: Kind, uid: str) -> Iterable[Object]:
        if kind is kinds.REPLICA_SET and uid == "d":
            return [{"kind": "ReplicaSet", "metadata": {"name": "web-1", "uid": "r"}}]
        return self._pods if kind is kinds.POD and uid == "r" else []


def blame(*statuses: dict[str, Any]) -> str:
    snapshot: Snapshot = Owned(*statuses)  # type: ignore[assignment]
    rows = [
        (Key("", "ConfigMap", "shop", "a"), LIVE, Health("Healthy")),
        (WEB, LIVE, Health("Progressing", "0 of 1 updated replicas are available")),
    ]
    return str(find_culprit(rows, snapshot))


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ((CRASHES,), "Pod web-0, container app: CrashLoopBackOff: back-off 10s (exit code 3)"),
        ((READY, NOT_READY, CRASHES, UNPLACED), "Pod web-2, container app: CrashLoopBackOff"),
        ((UNPLACED,), "Pod web-0: not scheduled: no Node has 9 CPU"),
        ((READY, NOT_READY), "Pod web-1, container app: it runs, but is not ready"),
        ((READY,), "Deployment.apps/shop/web: 0 of 1 updated replicas are available"),
    ],
)
def test_the_pod_that_says_most_is_blamed(statuses: tuple[dict[str, Any], ...], told: str) -> None:
    found = blame(*statuses)
    assert found.startswith("Deployment.apps/shop/web: 0 of 1")
    assert told in found


def test_nobody_is_blamed_where_all_are_well_and_the_degraded_before_the_slow() -> None:
    snapshot: Snapshot = Owned()  # type: ignore[assignment]
    assert find_culprit([(WEB, LIVE, Health("Healthy"))], snapshot) is None
    job = Key("batch", "Job", "shop", "migrate")
    rows = [(WEB, LIVE, Health("Progressing", "slow")), (job, None, Health("Degraded", "failed"))]
    found = find_culprit(rows, snapshot)
    assert found is not None
    assert str(found) == "Job.batch/shop/migrate: failed"
