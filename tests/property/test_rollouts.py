"""Rollouts, whatever their numbers: never too few Pods, never too many, and a rest at the end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api import kinds
from reconciler.api.objects import Key
from reconciler.api.pods import is_ready
from reconciler.controllers.deployment import DeploymentController
from reconciler.controllers.deployment.rollout import bounds
from reconciler.controllers.replicaset import ReplicaSetController
from tests.unit.controllers.snapshot import World, pods, workload

_AMOUNT = st.one_of(st.integers(0, 6), st.integers(0, 100).map(lambda n: f"{n}%"))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), _AMOUNT, _AMOUNT)
def test_a_rollout_keeps_its_bounds_and_ends(
    replicas: int, surge: int | str, unavailable: int | str
) -> None:
    """DP02 to DP06, DP14, DP15, DP22."""
    strategy = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }
    limits = bounds(surge, unavailable, replicas)
    world = World()
    deployment = world.add(workload("Deployment", replicas, strategy=strategy))
    controllers = DeploymentController(), ReplicaSetController()
    world.settle(*controllers)
    world.run_pods()
    world.settle(*controllers)
    key = Key.of(deployment)
    changed = workload("Deployment", replicas, "two", strategy=strategy)
    world.objects[key] = {**world.objects[key], "spec": changed["spec"]}
    for _ in range(300):
        acted = [world.step(controller) for controller in controllers]
        assert len(pods(world)) <= replicas + limits.surge
        ready = [pod for pod in pods(world) if is_ready(pod)]
        assert len(ready) >= replicas - limits.unavailable
        if not any(acted):
            before = len(pods(world))
            world.run_pods()
            world.settle(controllers[1])
            if not world.step(controllers[0]) and before == len(pods(world, "two")):
                break
    assert len(pods(world, "two")) == len(pods(world)) == replicas
    status = world.objects[key]["status"]
    assert {c["type"]: c["reason"] for c in status["conditions"]} == {
        "Available": "MinimumReplicasAvailable",
        "Progressing": "NewReplicaSetAvailable",
    }
    assert [rs["spec"]["replicas"] for rs in world.list(kinds.REPLICA_SET)].count(0) >= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 20))
def test_a_scaled_deployment_comes_to_rest_at_its_size(first: int, then: int) -> None:
    """DP30: the same ReplicaSet, resized; and a world as decided needs no decision."""
    world = World()
    key = Key.of(world.add(workload("Deployment", first)))
    controllers = DeploymentController(), ReplicaSetController()
    world.settle(*controllers)
    obj = world.objects[key]
    world.objects[key] = {**obj, "spec": {**obj["spec"], "replicas": then}}
    world.settle(*controllers)
    assert len(pods(world)) == then
    assert len(world.list(kinds.REPLICA_SET)) == 1
    assert not controllers[0].plan(key, world, world.now).actions
