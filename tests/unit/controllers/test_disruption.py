"""PodDisruptionBudgets: how many may go, and who is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api.disruption import DELETION_TIMEOUT, evict
from reconciler.api.objects import Key, name_of
from reconciler.api.pods import is_ready
from reconciler.clock import rfc3339
from reconciler.controllers.deployment import DeploymentController
from reconciler.controllers.disruption import DisruptionController
from reconciler.controllers.replicaset import ReplicaSetController
from reconciler.registry.admission import default
from tests.unit.controllers.snapshot import World, pods, workload

if TYPE_CHECKING:
    from reconciler.api.objects import Object

_ALL = DeploymentController(), ReplicaSetController(), DisruptionController()


def _world(replicas: int, **spec: Any) -> tuple[World, Key]:
    world = World()
    world.add(default(workload("Deployment", replicas)))
    key = Key.of(
        world.add(
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
            }
        )
    )
    _up(world)
    return world, key


def _up(world: World) -> None:
    world.settle(*_ALL)
    world.run_pods()
    world.settle(*_ALL)


def _evict(world: World, key: Key, pod: Object) -> bool:
    """Do what the API server does."""
    eviction = evict(pod, [world.objects[key]], world.now)
    if eviction.refusal is not None:
        return False
    if eviction.status is not None:
        world.objects[key] = {**world.objects[key], "status": eviction.status}
    world.delete(Key.of(pod))
    return True


@pytest.mark.parametrize(
    ("spec", "replicas", "desired", "allowed"),
    [
        ({"minAvailable": 2}, 3, 2, 1),
        ({"minAvailable": "50%"}, 3, 2, 1),
        ({"maxUnavailable": 1}, 3, 2, 1),
        ({"maxUnavailable": "30%"}, 10, 7, 3),
        ({"maxUnavailable": 0}, 3, 3, 0),
        ({"minAvailable": 5}, 3, 5, 0),
        ({"maxUnavailable": 9}, 3, 0, 3),
        ({"minAvailable": 0}, 0, 0, 0),
    ],
)
def test_how_many_may_go(spec: dict[str, Any], replicas: int, desired: int, allowed: int) -> None:
    """Percentages are rounded up, also what may be missing."""
    world, key = _world(replicas, **spec)
    status = world.objects[key]["status"]
    assert (status["desiredHealthy"], status["disruptionsAllowed"]) == (desired, allowed)
    assert status["expectedPods"] == replicas
    (condition,) = status["conditions"]
    assert condition["reason"] == ("SufficientPods" if allowed else "InsufficientPods")
    assert not DisruptionController().plan(key, world, world.now).actions


def test_a_missing_pod_counts_as_gone() -> None:
    """What the controller wants is expected, whether it is there or not."""
    world, key = _world(3, maxUnavailable=1)
    world.delete(Key.of(pods(world)[0]))
    world.settle(DisruptionController())
    assert world.objects[key]["status"]["disruptionsAllowed"] == 0


def test_an_eviction_takes_a_place_until_it_is_free_again() -> None:
    world, key = _world(3, minAvailable=2)
    first, second = pods(world)[:2]
    assert _evict(world, key, first)
    refused = evict(second, [world.objects[key]], world.now).refusal
    assert refused is not None
    assert refused.later
    assert refused.cause == "The disruption budget web needs 2 healthy pods and has 3 currently"
    _up(world)
    assert _evict(world, key, second)


def test_an_evicted_pod_that_stays_is_given_up_on() -> None:
    world, key = _world(3, minAvailable=2)
    name = name_of(pods(world)[0])
    status = {**world.objects[key]["status"], "disruptedPods": {name: rfc3339(world.now)}}
    world.objects[key] = {**world.objects[key], "status": status}
    world.settle(DisruptionController())
    assert world.objects[key]["status"]["disruptionsAllowed"] == 0
    assert DisruptionController().plan(key, world, world.now).requeue_after == DELETION_TIMEOUT
    world.now += DELETION_TIMEOUT
    world.settle(DisruptionController())
    assert world.objects[key]["status"]["disruptionsAllowed"] == 1
    assert "disruptedPods" not in world.objects[key]["status"]


def test_who_may_go_whatever_the_budget_says() -> None:
    world, key = _world(2, minAvailable=2)
    pod = pods(world)[0]
    budget = world.objects[key]
    assert evict(pod, [budget], world.now).refusal is not None
    for status in ({"phase": "Succeeded"}, {"phase": "Pending"}):
        assert evict({**pod, "status": status}, [budget], world.now).refusal is None
    unready = {**pod, "status": {"phase": "Running"}}
    assert evict(unready, [budget], world.now).refusal is None  # two others are healthy
    strict = {**budget, "status": {**budget["status"], "currentHealthy": 1}}
    assert evict(unready, [strict], world.now).refusal is not None
    always = {**strict, "spec": {**strict["spec"], "unhealthyPodEvictionPolicy": "AlwaysAllow"}}
    assert evict(unready, [always], world.now).refusal is None


def test_two_budgets_are_one_too_many_and_an_unseen_one_refuses() -> None:
    world, key = _world(3, maxUnavailable=1)
    pod, budget = pods(world)[0], world.objects[key]
    refused = evict(pod, [budget, budget], world.now).refusal
    assert refused is not None
    assert not refused.later
    newer = {**budget, "metadata": {**budget["metadata"], "generation": 2}}
    refused = evict(pod, [newer], world.now).refusal
    assert refused is not None
    assert "still being processed" in refused.cause


def test_pods_that_nobody_scales_are_told_of() -> None:
    world = World()
    about = {"name": "bare", "namespace": "default", "labels": {"app": "web"}}
    spec = {"containers": [{"name": "c", "image": "c"}]}
    world.add({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec})
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"maxUnavailable": 1, "selector": {}},
    }
    key = Key.of(world.add(budget))
    world.step(DisruptionController())
    assert any("unmanaged: bare" in told for told in world.notices)
    assert world.objects[key]["status"]["disruptionsAllowed"] == 0


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6), st.integers(0, 6), st.booleans(),
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=12),
)  # fmt: skip
def test_evictions_never_leave_too_few(
    replicas: int, amount: int, least: bool, story: list[tuple[int, bool]]
) -> None:
    """Whatever the order of evictions and of the controllers' work."""
    spec = {"minAvailable": amount} if least else {"maxUnavailable": amount}
    world, key = _world(replicas, **spec)
    needed = min(replicas, amount) if least else max(0, replicas - amount)
    for which, work in story:
        ready = [pod for pod in pods(world) if is_ready(pod)]
        if ready:
            _evict(world, key, ready[which % len(ready)])
        assert sum(is_ready(pod) for pod in pods(world)) >= needed
        if work:
            _up(world)
