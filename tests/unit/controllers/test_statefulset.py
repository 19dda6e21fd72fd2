"""StatefulSets: order, identity, claims and rolling updates."""

from __future__ import annotations

from reconciler.api import kinds
from reconciler.api.objects import Key, name_of
from reconciler.controllers.statefulset import StatefulSetController
from tests.unit.controllers.snapshot import World, pods, workload

_CLAIMS = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]


def _names(world: World) -> list[str]:
    return [name_of(pod) for pod in pods(world)]


def _up(world: World, rounds: int = 12) -> None:
    for _ in range(rounds):
        world.settle(StatefulSetController())
        world.run_pods()
    world.settle(StatefulSetController())


def test_pods_come_one_after_another_with_their_claims() -> None:
    """SS03, SS05, SS20."""
    world = World()
    world.add(workload("StatefulSet", 3, serviceName="db", volumeClaimTemplates=_CLAIMS))
    world.settle(StatefulSetController())
    assert _names(world) == ["web-0"]
    _up(world)
    assert _names(world) == ["web-0", "web-1", "web-2"]
    claims = [name_of(claim) for claim in world.list(kinds.PERSISTENT_VOLUME_CLAIM)]
    assert claims == ["data-web-0", "data-web-1", "data-web-2"]
    last = pods(world)[2]
    assert (last["spec"]["hostname"], last["spec"]["subdomain"]) == ("web-2", "db")
    assert last["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "data-web-2"}


def test_an_update_goes_from_the_highest_ordinal_to_the_partition() -> None:
    """SS11, SS12, SS19."""
    world = World()
    key = Key.of(world.add(workload("StatefulSet", 3)))
    _up(world)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    changed = workload("StatefulSet", 3, "two", updateStrategy=strategy)
    world.objects[key] = {**world.objects[key], "spec": changed["spec"]}
    _up(world)
    assert [name_of(pod) for pod in pods(world, "two")] == ["web-2"]
    changed = workload("StatefulSet", 3, "two")
    world.objects[key] = {**world.objects[key], "spec": changed["spec"]}
    _up(world)
    assert len(pods(world, "two")) == 3
    status = world.objects[key]["status"]
    assert status["currentRevision"] == status["updateRevision"]


def test_scaling_down_keeps_the_lowest_ordinals_and_the_claims() -> None:
    """SS06, SS21."""
    world = World()
    key = Key.of(world.add(workload("StatefulSet", 3, volumeClaimTemplates=_CLAIMS)))
    _up(world)
    spec = {**world.objects[key]["spec"], "replicas": 1}
    world.objects[key] = {**world.objects[key], "spec": spec}
    _up(world)
    assert _names(world) == ["web-0"]
    assert len(world.list(kinds.PERSISTENT_VOLUME_CLAIM)) == 3
