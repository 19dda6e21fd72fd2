"""StatefulSets: order, identity, claims and rolling updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.objects import Key, is_deleting, meta, name_of
from reconciler.controllers.statefulset import StatefulSetController
from reconciler.registry.admission import default
from tests.unit.controllers.snapshot import World, pods, workload

if TYPE_CHECKING:
    from reconciler.api.objects import Object

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


def _set(world: World, replicas: int, **spec: Any) -> Key:
    key = Key.of(world.add(default(workload("StatefulSet", replicas, **spec))))
    _up(world)
    return key


def _template(image: str) -> Object:
    found: Object = default(workload("StatefulSet", 1, image))["spec"]["template"]
    return found


def _break(world: World, name: str) -> None:
    pod = world.objects[Key("", "Pod", "default", name)]
    conditions = [{"type": "Ready", "status": "False"}]
    status = {**pod["status"], "conditions": conditions}
    world.objects[Key.of(pod)] = {**pod, "status": status}


def _delete(world: World, name: str) -> None:
    world.delete(Key("", "Pod", "default", name))


def test_ordinals_begin_where_they_are_told_to() -> None:
    """SS04: what lies outside is condemned."""
    world = World()
    key = _set(world, 2, ordinals={"start": 3})
    assert _names(world) == ["web-3", "web-4"]
    world.change(key, ordinals={"start": 4})
    _up(world)
    assert _names(world) == ["web-4", "web-5"]


def test_scaling_down_goes_from_the_top_one_at_a_time_and_waits_for_the_lower_ones() -> None:
    """SS06, SS10."""
    world = World()
    key = _set(world, 4)
    world.change(key, replicas=1)
    meta(world.objects[Key("", "Pod", "default", "web-3")])["finalizers"] = ["example.com/slow"]
    world.settle(StatefulSetController())
    # The highest is going but not gone: the next one waits.
    assert _names(world) == ["web-0", "web-1", "web-2", "web-3"]
    assert [name_of(p) for p in pods(world) if is_deleting(p)] == ["web-3"]
    del world.objects[Key("", "Pod", "default", "web-3")]
    _break(world, "web-0")
    world.settle(StatefulSetController())
    assert _names(world) == ["web-0", "web-1", "web-2"]
    _delete(world, "web-0")
    _up(world)
    assert _names(world) == ["web-0"]


def test_a_missing_one_in_the_middle_comes_back_before_anything_else() -> None:
    """SS07: scaling waits."""
    world = World()
    key = _set(world, 3)
    world.change(key, replicas=5)
    _delete(world, "web-1")
    world.settle(StatefulSetController())
    assert _names(world) == ["web-0", "web-1", "web-2"]
    _up(world)
    assert len(_names(world)) == 5


def test_parallel_neither_waits_to_create_nor_to_delete_but_rolls_one_by_one() -> None:
    """SS08."""
    world = World()
    key = Key.of(world.add(default(workload("StatefulSet", 4, podManagementPolicy="Parallel"))))
    world.settle(StatefulSetController())
    assert len(_names(world)) == 4
    world.run_pods()
    world.settle(StatefulSetController())
    world.change(key, template=_template("two"))
    world.settle(StatefulSetController())
    assert [name_of(pod) for pod in pods(world, "two")] == ["web-3"]
    world.change(key, replicas=1, template=_template("one"))
    world.settle(StatefulSetController())
    assert _names(world) == ["web-0"]


@pytest.mark.parametrize("code", [0, 1])
def test_a_pod_that_ended_is_made_again_under_its_name(code: int) -> None:
    """SS09."""
    world = World()
    _set(world, 2)
    before = world.objects[Key("", "Pod", "default", "web-0")]
    world.end_pod(before, code)
    _up(world)
    after = world.objects[Key("", "Pod", "default", "web-0")]
    assert meta(after)["uid"] != meta(before)["uid"]
    assert len(pods(world)) == 2


def test_a_partition_above_the_replicas_updates_nothing() -> None:
    """SS13; and a Pod below the partition comes back as it was (SS12)."""
    world = World()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 5}}
    key = _set(world, 2, updateStrategy=strategy)
    world.change(key, template=_template("two"))
    _up(world)
    _delete(world, "web-1")
    _up(world)
    assert len(pods(world, "one")) == 2
    assert len(world.list(kinds.CONTROLLER_REVISION)) == 2


def test_a_broken_update_that_is_taken_back_waits_for_the_user() -> None:
    """SS14: the stuck Pod is not replaced by itself."""
    world = World()
    key = _set(world, 2)
    world.change(key, template=_template("two"))
    world.settle(StatefulSetController())
    world.run_pods(broken="two")
    world.change(key, template=_template("one"))
    _up(world)
    assert [name_of(pod) for pod in pods(world, "two")] == ["web-1"]
    _delete(world, "web-1")
    _up(world)
    assert len(pods(world, "one")) == 2


def test_on_delete_updates_what_the_user_deletes() -> None:
    """SS15."""
    world = World()
    key = _set(world, 2, updateStrategy={"type": "OnDelete"})
    world.change(key, template=_template("two"))
    _up(world)
    assert not pods(world, "two")
    _delete(world, "web-0")
    _up(world)
    assert [name_of(pod) for pod in pods(world, "two")] == ["web-0"]


def test_without_rolling_update_what_is_not_rolled_yet_comes_back_as_it_was() -> None:
    """SS02: the field stays absent, and ordinals below currentReplicas keep the current revision."""
    world = World()
    key = _set(world, 3, updateStrategy={"type": "RollingUpdate"})
    assert "rollingUpdate" not in world.objects[key]["spec"]["updateStrategy"]
    world.change(key, template=_template("two"))
    world.settle(StatefulSetController())
    assert [name_of(pod) for pod in pods(world, "two")] == ["web-2"]
    _delete(world, "web-0")
    world.settle(StatefulSetController())
    assert [name_of(pod) for pod in pods(world, "one")] == ["web-0", "web-1"]
    _up(world)
    assert len(pods(world, "two")) == 3


@pytest.mark.parametrize(("most", "at_once"), [("50%", 2), ("10%", 1), (3, 3)])
def test_several_may_be_gone_at_once_where_that_is_asked_for(most: int | str, at_once: int) -> None:
    """SS16: a percentage is rounded down, and is at least one."""
    world = World()
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": most}}
    key = _set(world, 5, updateStrategy=rolling)
    world.change(key, template=_template("two"))
    world.perform(StatefulSetController().plan(key, world, world.now))
    assert len(pods(world)) == 5 - at_once
    _up(world)
    assert len(pods(world, "two")) == 5


def test_a_rollout_waits_for_min_ready_seconds() -> None:
    """SS05, SS11."""
    world = World()
    key = Key.of(world.add(default(workload("StatefulSet", 2, minReadySeconds=30))))
    world.settle(StatefulSetController())
    world.run_pods()
    world.settle(StatefulSetController())
    assert _names(world) == ["web-0"]
    assert StatefulSetController().plan(key, world, world.now).requeue_after == 30
    world.now += 30
    world.settle(StatefulSetController())
    assert _names(world) == ["web-0", "web-1"]
    assert world.objects[key]["status"]["availableReplicas"] == 1


def test_revisions_are_kept_numbered_and_used_again() -> None:
    """SS17, SS18: an equal template takes its old revision up with a new number."""
    world = World()
    key = _set(world, 1, revisionHistoryLimit=1)
    for image in ("two", "three", "one"):
        world.change(key, template=_template(image))
        _up(world)
    found = {
        r["data"]["spec"]["template"]["spec"]["containers"][0]["image"]: r["revision"]
        for r in world.list(kinds.CONTROLLER_REVISION)
    }
    assert found == {"three": 3, "one": 4}
    status = world.objects[key]["status"]
    assert status["currentRevision"] == status["updateRevision"]


def test_a_claim_that_is_deleted_while_its_pod_waits_is_made_again() -> None:
    """SS20."""
    world = World()
    world.add(workload("StatefulSet", 1, volumeClaimTemplates=_CLAIMS))
    world.settle(StatefulSetController())
    key = Key("", "PersistentVolumeClaim", "default", "data-web-0")
    assert meta(world.objects[key])["labels"] == {"app": "web"}
    del world.objects[key]
    world.settle(StatefulSetController())
    assert key in world.objects


@pytest.mark.parametrize(
    ("deleted", "scaled", "kept", "condemned"),
    [
        ("Retain", "Retain", [], []),
        ("Delete", "Retain", ["StatefulSet"], ["StatefulSet"]),
        ("Retain", "Delete", [], ["Pod"]),
        ("Delete", "Delete", ["StatefulSet"], ["Pod"]),
    ],
)
def test_who_takes_a_claim_along(
    deleted: str, scaled: str, kept: list[str], condemned: list[str]
) -> None:
    """SS22, SS23: the policy may also change later."""
    world = World()
    key = _set(world, 2, volumeClaimTemplates=_CLAIMS)
    policy = {"whenDeleted": deleted, "whenScaled": scaled}
    world.change(key, persistentVolumeClaimRetentionPolicy=policy)
    _up(world)

    def owners(name: str) -> list[str]:
        claim = world.objects[Key("", "PersistentVolumeClaim", "default", name)]
        return [ref["kind"] for ref in meta(claim).get("ownerReferences") or ()]

    assert (owners("data-web-0"), owners("data-web-1")) == (kept, kept)
    world.change(key, replicas=1)
    meta(world.objects[Key("", "Pod", "default", "web-1")])["finalizers"] = ["example.com/slow"]
    world.settle(StatefulSetController())
    assert (owners("data-web-0"), owners("data-web-1")) == (kept, condemned)


def test_a_new_set_adopts_the_pods_that_were_left() -> None:
    """SS26: delete --cascade=orphan, then the same set again."""
    world = World()
    key = _set(world, 2)
    before = [meta(pod)["uid"] for pod in pods(world)]
    del world.objects[key]
    for obj in (*pods(world), *world.list(kinds.CONTROLLER_REVISION)):
        meta(world.objects[Key.of(obj)]).pop("ownerReferences")
    stranger = workload("Pod", 1)
    stranger |= {"apiVersion": "v1", "spec": _template("one")["spec"]}
    stranger["metadata"] = {"name": "other", "namespace": "default", "labels": {"app": "web"}}
    world.add(stranger)
    for revision in world.list(kinds.CONTROLLER_REVISION):
        del world.objects[Key.of(revision)]
    world.add(default(workload("StatefulSet", 2)))
    _up(world)
    mine = [pod for pod in pods(world) if meta(pod).get("ownerReferences")]
    assert [meta(pod)["uid"] for pod in mine] == before
