"""ReplicaSets: as many Pods as asked for, and which of them go first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.decision import Create
from reconciler.api.objects import Key, labels_of, meta, name_of
from reconciler.clock import rfc3339
from reconciler.controllers.batches import deletion_order
from reconciler.controllers.replicaset import ReplicaSetController
from tests.unit.controllers.snapshot import World, pods, workload

if TYPE_CHECKING:
    from reconciler.api.objects import Object

_NOW = 1_700_000_000.0


def _set(world: World, replicas: int, **spec: Any) -> Key:
    key = Key.of(world.add(workload("ReplicaSet", replicas, **spec)))
    world.settle(ReplicaSetController())
    world.run_pods()
    world.settle(ReplicaSetController())
    return key


def test_pods_are_created_in_batches_that_double() -> None:
    """R02: no more than 500 in one plan."""
    world = World()
    key = Key.of(world.add(workload("ReplicaSet", 900)))
    steps = ReplicaSetController().plan(key, world, world.now).actions
    batches = [len(step) for step in steps if type(step) is tuple]
    assert batches == [1, 2, 4, 8, 16, 32, 64, 128, 245]
    assert sum(batches) == 500


def test_a_pod_that_cannot_be_created_is_told_until_it_can() -> None:
    """R02, R03: one attempt fails, not hundreds."""
    world = World()
    world.refused = {"Pod"}
    key = Key.of(world.add(workload("ReplicaSet", 3)))
    world.step(ReplicaSetController())
    (failure,) = world.objects[key]["status"]["conditions"]
    assert (failure["type"], failure["reason"]) == ("ReplicaFailure", "FailedCreate")
    assert "exceeded quota" in failure["message"]
    world.refused = set()
    world.settle(ReplicaSetController())
    assert len(pods(world)) == 3
    assert "conditions" not in world.objects[key]["status"]


def _pod(name: str, **about: Any) -> Object:
    ready = about.pop("ready_for", None)
    conditions = []
    if ready is not None:
        stamp = rfc3339(_NOW - ready)
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp}]
    restarts = [{"restartCount": about.pop("restarts", 0)}]
    metadata: Object = {"name": name, "uid": name}
    metadata["creationTimestamp"] = rfc3339(_NOW - about.pop("age", 100))
    if "cost" in about:
        cost = about.pop("cost")
        metadata["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    status = {
        "phase": about.pop("phase", "Running"),
        "conditions": conditions,
        "containerStatuses": restarts,
    }
    return {"metadata": metadata, "spec": {"nodeName": about.pop("node", "n")}, "status": status}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"node": "", "ready_for": 50}, {"phase": "Pending"}),
        ({"phase": "Pending", "cost": "9"}, {"phase": "Unknown"}),
        ({"phase": "Unknown", "ready_for": 5}, {"phase": "Running"}),
        ({"cost": "9"}, {"ready_for": 5, "cost": "-9"}),
        ({"ready_for": 900, "cost": "-1"}, {"ready_for": 5}),
        ({"ready_for": 5}, {"ready_for": 900}),
        ({"ready_for": 900, "restarts": 3}, {"ready_for": 900}),
        ({"ready_for": 5, "age": 10}, {"ready_for": 5, "age": 900}),
    ],
)
def test_who_goes_first(first: dict[str, Any], then: dict[str, Any]) -> None:
    """R04: each rule decides where those before it do not, and only there; R05."""
    one, other = _pod("b", **first), _pod("a", **then)
    assert [name_of(p) for p in deletion_order([other, one], _NOW)] == ["b", "a"]


def test_more_siblings_on_the_node_go_first() -> None:
    """R04."""
    crowd = [_pod(f"c{n}", node="full", ready_for=9) for n in range(3)]
    alone = _pod("alone", node="empty", ready_for=9)
    assert name_of(deletion_order([alone, *crowd], _NOW)[-1]) == "alone"


def test_ages_are_compared_by_order_of_magnitude() -> None:
    """R04: in buckets of powers of two; within one the uid decides, so that no Pod is always the victim."""
    old, young = _pod("a", ready_for=120), _pod("b", ready_for=70)
    assert [name_of(p) for p in deletion_order([young, old], _NOW)] == ["a", "b"]
    assert name_of(deletion_order([young, _pod("z", ready_for=10)], _NOW)[0]) == "z"


def test_a_cost_that_is_no_number_is_none() -> None:
    """R05."""
    odd, dear = _pod("b", ready_for=9, cost="much"), _pod("a", ready_for=9, cost="1")
    assert name_of(deletion_order([dear, odd], _NOW)[0]) == "b"


def test_a_pod_that_is_nobody_s_is_adopted() -> None:
    """R06: but not one that is being deleted, or has another controller."""
    world = World()
    base = workload("ReplicaSet", 1)["spec"]["template"]["spec"]
    for name, extra in (
        ("free", {}),
        ("going", {"deletionTimestamp": rfc3339(_NOW), "finalizers": ["x/y"]}),
        (
            "taken",
            {"ownerReferences": [{"uid": "u", "controller": True, "kind": "X", "name": "x"}]},
        ),
    ):
        about = {"name": name, "namespace": "default", "labels": {"app": "web"}, **extra}
        world.add({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": base})
    _set(world, 2)
    owners = {
        name_of(pod): [r["kind"] for r in meta(pod).get("ownerReferences") or ()]
        for pod in pods(world)
    }
    assert owners["free"] == ["ReplicaSet"]
    assert owners["going"] == []
    assert owners["taken"] == ["X"]
    assert len(owners) == 4


def test_a_pod_that_no_longer_matches_is_released_and_replaced() -> None:
    """R07."""
    world = World()
    _set(world, 2)
    key = Key.of(pods(world)[0])
    labels_of(world.objects[key])["app"] = "debug"
    world.settle(ReplicaSetController())
    assert not meta(world.objects[key]).get("ownerReferences")
    assert len(pods(world)) == 3


@pytest.mark.parametrize("code", [0, 1])
def test_a_pod_that_ended_is_replaced_and_left(code: int) -> None:
    """R08."""
    world = World()
    key = _set(world, 2)
    world.end_pod(pods(world)[0], code)
    world.settle(ReplicaSetController())
    assert len(pods(world)) == 3
    assert world.objects[key]["status"]["replicas"] == 2


def test_counts() -> None:
    """R09, R10, M02: available after minReadySeconds, looked at again just then."""
    world = World()
    key = _set(world, 3, minReadySeconds=10)
    pod = pods(world)[0]
    assert name_of(pod).startswith("web-")
    assert len(name_of(pod)) == len("web-") + 5
    world.objects[Key.of(pod)] = {**pod, "status": {**pod["status"], "conditions": []}}
    held = pods(world)[1]
    meta(world.objects[Key.of(held)])["finalizers"] = ["x/y"]
    world.delete(Key.of(held))
    world.step(ReplicaSetController())
    plan = ReplicaSetController().plan(key, world, world.now)
    assert plan.requeue_after == 10
    world.now += 10
    world.step(ReplicaSetController())
    assert world.objects[key]["status"] == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 1,
    }


def test_a_world_as_decided_needs_no_decision() -> None:
    world = World()
    key = _set(world, 3)
    plan = ReplicaSetController().plan(key, world, world.now)
    assert not plan.actions
    world.delete(Key.of(pods(world)[0]))
    again = ReplicaSetController().plan(key, world, world.now)
    made = [a for step in again.actions if type(step) is tuple for a in step]
    assert [type(a) for a in made] == [Create]
    assert kinds.POD.kind == made[0].obj["kind"]  # type: ignore[union-attr]
