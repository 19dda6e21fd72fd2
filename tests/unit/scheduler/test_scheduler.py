"""Where Pods go, and why they do not."""

from __future__ import annotations

from typing import Any

from reconciler.api.objects import Key, Object
from reconciler.scheduler import Scheduler
from tests.unit.controllers.snapshot import World


def _world(spec: dict[str, Any] | None = None) -> World:
    world = World()
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "allocatable": {"cpu": "2", "memory": "1Gi", "pods": "110"},
    }
    world.add(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "here"},
            "spec": spec or {},
            "status": status,
        }
    )
    return world


def _pod(world: World, name: str, **container: Any) -> Key:
    return Key.of(
        world.add(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"containers": [{"name": "c", **container}]},
            }
        )
    )


def _condition(obj: Object) -> tuple[str, str]:
    (found,) = obj["status"]["conditions"]
    return found["status"], found.get("message", "")


def test_a_pod_is_bound_to_a_ready_node() -> None:
    world = _world()
    key = _pod(world, "a")
    world.settle(Scheduler())
    assert world.objects[key]["spec"]["nodeName"] == "here"


def test_requests_that_no_node_has_left_keep_a_pod_pending() -> None:
    world = _world()
    asking = {"requests": {"cpu": "1500m"}}
    first, second = (_pod(world, name, resources=asking) for name in "ab")
    world.settle(Scheduler())
    assert world.objects[first]["spec"]["nodeName"] == "here"
    assert "nodeName" not in world.objects[second]["spec"]
    assert _condition(world.objects[second]) == (
        "False",
        "0/1 nodes are available: 1 Insufficient cpu.",
    )


def test_a_cordoned_node_takes_nothing() -> None:
    world = _world({"unschedulable": True})
    key = _pod(world, "a")
    world.settle(Scheduler())
    assert "unschedulable" in _condition(world.objects[key])[1]


def test_a_claim_for_one_pod_keeps_another_pending() -> None:
    """V22: until the first is over."""
    world = _world()
    world.add(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "default"},
            "spec": {"accessModes": ["ReadWriteOncePod"]},
            "status": {"phase": "Bound"},
        }
    )
    first, second = _pod(world, "a"), _pod(world, "b")
    mount = {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}
    for key in (first, second):
        world.change(key, volumes=[mount])
    world.settle(Scheduler())
    assert world.objects[first]["spec"]["nodeName"] == "here"
    assert "ReadWriteOncePod access mode" in _condition(world.objects[second])[1]
    world.end_pod(world.objects[first])
    woken = [k for w in Scheduler().watches[:1] for k in w.keys(world.objects[first], world)]
    assert woken == [second]
    world.settle(Scheduler())
    assert world.objects[second]["spec"]["nodeName"] == "here"
