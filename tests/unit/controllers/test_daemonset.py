"""DaemonSets: one Pod a fitting Node, and rolling updates within their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api import kinds
from reconciler.api.objects import Key, meta, name_of
from reconciler.api.pods import is_ready
from reconciler.controllers.daemonset import DaemonSetController, node_of
from reconciler.controllers.daemonset.update import limits
from tests.unit.controllers.snapshot import World, pods, workload

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def _node(world: World, name: str, **spec: Any) -> Key:
    labels = {"kubernetes.io/hostname": name, **spec.pop("labels", {})}
    return Key.of(
        world.add(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": labels},
                "spec": spec,
            }
        )
    )


def _set(world: World, nodes: int = 3, **spec: Any) -> Key:
    for number in range(nodes):
        _node(world, f"node-{number}")
    obj = workload("DaemonSet", 0, **spec)
    del obj["spec"]["replicas"]
    key = Key.of(world.add(obj))
    _up(world)
    return key


def _up(world: World) -> None:
    world.settle(DaemonSetController())
    world.run_pods()
    world.settle(DaemonSetController())


def _nodes(found: list[Object]) -> list[str]:
    return sorted(node_of(pod) for pod in found)


def test_every_node_gets_one_pod_and_a_node_that_goes_takes_its_pod_along() -> None:
    world = World()
    key = _set(world)
    assert _nodes(pods(world)) == ["node-0", "node-1", "node-2"]
    status = world.objects[key]["status"]
    assert status["desiredNumberScheduled"] == status["numberAvailable"] == 3
    assert "numberUnavailable" not in status
    last = _node(world, "node-3")
    _up(world)
    assert len(pods(world)) == 4
    del world.objects[last]
    _up(world)
    assert _nodes(pods(world)) == ["node-0", "node-1", "node-2"]


def test_selectors_and_taints_choose_the_nodes() -> None:
    world = World()
    _node(world, "plain")
    _node(world, "ssd", labels={"disk": "ssd"})
    _node(world, "cordoned", labels={"disk": "ssd"}, unschedulable=True)
    taint = {"key": "only", "value": "db", "effect": "NoSchedule"}
    _node(world, "tainted", labels={"disk": "ssd"}, taints=[taint])
    key = _set(world, nodes=0)
    obj = world.objects[key]["spec"]["template"]
    spec = {**obj["spec"], "nodeSelector": {"disk": "ssd"}}
    world.change(key, template={**obj, "spec": spec})
    _up(world)
    _up(world)
    assert _nodes(pods(world)) == ["cordoned", "ssd"]
    # A taint that comes later keeps new Pods off, and lets those that are there stay, but for NoExecute.
    for effect, left in (("NoSchedule", 2), ("NoExecute", 1)):
        node = Key("", "Node", "", "ssd")
        world.change(node, taints=[{"key": "x", "effect": effect}])
        _up(world)
        assert len(pods(world)) == left


def test_a_pod_that_ended_is_made_anew_but_not_in_a_hot_loop() -> None:
    world = World()
    key = _set(world, nodes=1)
    (pod,) = pods(world)
    world.end_pod(pod, 1)
    world.settle(DaemonSetController())
    assert DaemonSetController().plan(key, world, world.now).requeue_after == 10
    world.now += 10
    _up(world)
    (other,) = pods(world)
    assert name_of(other) != name_of(pod)
    assert any("will try to kill it" in told for told in world.notices)


def test_on_delete_waits_for_the_user() -> None:
    world = World()
    key = _set(world, updateStrategy={"type": "OnDelete"})
    world.change(key, template=workload("DaemonSet", 0, "two")["spec"]["template"])
    _up(world)
    assert not pods(world, "two")
    world.delete(Key.of(pods(world)[0]))
    _up(world)
    assert len(pods(world, "two")) == 1
    assert world.objects[key]["status"]["updatedNumberScheduled"] == 1


def test_each_template_is_a_revision_that_can_be_gone_back_to() -> None:
    """SS17 and SS18 hold for DaemonSets too."""
    world = World()
    key = _set(world, nodes=1, revisionHistoryLimit=1)
    for image in ("two", "three", "one"):
        template = workload("DaemonSet", 0, image)["spec"]["template"]
        world.change(key, template=template)
        for _ in range(3):
            _up(world)
    revisions = world.list(kinds.CONTROLLER_REVISION)
    numbers = {
        r["data"]["spec"]["template"]["spec"]["containers"][0]["image"]: r["revision"]
        for r in revisions
    }
    assert numbers == {"three": 3, "one": 4}
    (pod,) = pods(world)
    label = meta(pod)["labels"]["controller-revision-hash"]
    assert f"web-{label}" in [name_of(r) for r in revisions]


_AMOUNT = st.one_of(st.integers(0, 3), st.integers(0, 100).map(lambda n: f"{n}%"))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), _AMOUNT, st.booleans())
def test_an_update_keeps_its_limits_and_ends(nodes: int, amount: int | str, surge: bool) -> None:
    """Never more Nodes without an available Pod than maxUnavailable, nor more with two than maxSurge."""
    rolling = {"maxSurge": amount, "maxUnavailable": 0} if surge else {"maxUnavailable": amount}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    allowed = limits(strategy, nodes)
    world = World()
    key = _set(world, nodes=nodes, updateStrategy=strategy)
    world.change(key, template=workload("DaemonSet", 0, "two")["spec"]["template"])
    for _ in range(nodes * 6):
        world.step(DaemonSetController())
        assert sum(is_ready(pod) for pod in pods(world)) >= nodes - allowed.unavailable
        assert len(pods(world)) <= nodes + allowed.surge
        if len(pods(world, "two")) == len(pods(world)) == nodes:
            break
        if not world.step(DaemonSetController()):
            world.run_pods()
    assert len(pods(world, "two")) == nodes
    _up(world)
    assert not DaemonSetController().plan(key, world, world.now).actions


@pytest.mark.parametrize(
    ("rolling", "expected"),
    [
        ({}, (1, 0)),
        ({"maxUnavailable": "10%"}, (1, 0)),
        ({"maxUnavailable": "34%"}, (4, 0)),
        ({"maxUnavailable": 0, "maxSurge": "25%"}, (0, 3)),
        ({"maxUnavailable": 0, "maxSurge": 0}, (1, 0)),
    ],
)
def test_limits_round_up(rolling: dict[str, Any], expected: tuple[int, int]) -> None:
    assert limits({"rollingUpdate": rolling}, 10) == expected
