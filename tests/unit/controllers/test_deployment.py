"""Deployments: what a rollout does step by step, and what its status says meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.objects import Key, annotations_of, labels_of, meta, name_of
from reconciler.api.pods import condition
from reconciler.controllers.deployment import DeploymentController
from reconciler.controllers.replicaset import ReplicaSetController
from reconciler.registry.admission import default
from tests.unit.controllers.snapshot import World, pods, workload

if TYPE_CHECKING:
    from reconciler.api.objects import Object

_BOTH = DeploymentController(), ReplicaSetController()
_REVISION = "deployment.kubernetes.io/revision"


def _template(image: str) -> Object:
    found: Object = default(workload("Deployment", 1, image))["spec"]["template"]
    return found


def _rolling(surge: int | str, unavailable: int | str) -> Object:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


def _up(world: World, rounds: int = 20, broken: str = "") -> None:
    for _ in range(rounds):
        world.settle(*_BOTH)
        world.run_pods(broken=broken)
    world.settle(*_BOTH)


def _deploy(world: World, replicas: int, **spec: Any) -> Key:
    key = Key.of(world.add(default(workload("Deployment", replicas, **spec))))
    _up(world, 3)
    return key


def _sizes(world: World) -> dict[str, int]:
    """Return spec.replicas of each ReplicaSet by its image."""
    return {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
        for rs in world.list(kinds.REPLICA_SET)
    }


def _set_of(world: World, image: str) -> Object:
    return next(
        rs
        for rs in world.list(kinds.REPLICA_SET)
        if rs["spec"]["template"]["spec"]["containers"][0]["image"] == image
    )


def _reason(world: World, key: Key, type_: str = "Progressing") -> tuple[str, str]:
    found = condition(world.objects[key], type_) or {}
    return str(found.get("status")), str(found.get("reason"))


def test_the_first_step_of_ten() -> None:
    """DP02, DP03, DP06: 25 % of ten are three more and two fewer."""
    world = World()
    key = _deploy(world, 10)
    world.change(key, template=_template("two"))
    world.settle(*_BOTH)
    assert _sizes(world) == {"one": 8, "two": 5}
    world2 = World()
    key = _deploy(world2, 10)
    world2.change(key, template=_template("two"))
    world2.step(DeploymentController())
    assert _sizes(world2) == {"one": 10, "two": 3}


def test_one_replica_is_replaced_before_it_goes() -> None:
    """DP05."""
    world = World()
    key = _deploy(world, 1)
    world.change(key, template=_template("two"))
    world.settle(*_BOTH)
    assert _sizes(world) == {"one": 1, "two": 1}


def test_the_replica_set_carries_the_hash_and_the_annotations() -> None:
    """DP07, DP08, DP11, DP12: the Deployment's own template and selector are left alone."""
    world = World()
    obj = default(workload("Deployment", 1))
    obj["metadata"]["annotations"] = {
        "kubernetes.io/change-cause": "first",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    key = Key.of(world.add(obj))
    spec = world.objects[key]["spec"]
    _up(world, 2)
    (rs,) = world.list(kinds.REPLICA_SET)
    digest = labels_of(rs)["pod-template-hash"]
    assert name_of(rs) == f"web-{digest}"
    assert not set(digest) - set("bcdfghjklmnpqrstvwxz2456789")
    assert rs["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    assert labels_of(pods(world)[0])["pod-template-hash"] == digest
    assert world.objects[key]["spec"] == spec
    assert annotations_of(rs) == {
        "kubernetes.io/change-cause": "first",
        _REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "1",
        "deployment.kubernetes.io/max-replicas": "2",
    }
    # A later change-cause reaches the ReplicaSet as well.
    annotations_of(world.objects[key])["kubernetes.io/change-cause"] = "second"
    _up(world, 1)
    (rs,) = world.list(kinds.REPLICA_SET)
    assert annotations_of(rs)["kubernetes.io/change-cause"] == "second"


def test_a_template_is_recognised_by_what_it_says() -> None:
    """DP09: not by its hash; a matching ReplicaSet that is nobody's is taken over (and found, DP24)."""
    world = World()
    rs = default(workload("ReplicaSet", 2))
    rs["metadata"] = {"name": "web-old", "namespace": "default"}
    rs["metadata"]["labels"] = rs["spec"]["template"]["metadata"]["labels"]
    world.add(rs)
    world.add(default(workload("Deployment", 2)))
    world.step(DeploymentController())
    (found,) = world.list(kinds.REPLICA_SET)
    assert meta(found)["ownerReferences"][0]["kind"] == "Deployment"
    assert _reason(world, Key("apps", "Deployment", "default", "web"))[1] == "FoundNewReplicaSet"


def test_a_taken_name_is_avoided() -> None:
    """DP10."""
    world = World()
    key = _deploy(world, 1)
    taken = name_of(_set_of(world, "one"))
    for obj in (*world.list(kinds.REPLICA_SET), *pods(world)):
        del world.objects[Key.of(obj)]
    stranger = workload("ReplicaSet", 0, "other")
    stranger["metadata"] = {"name": taken, "namespace": "default"}
    world.add(stranger)
    _up(world, 3)
    assert world.objects[key]["status"]["collisionCount"] == 1
    assert name_of(_set_of(world, "one")) != taken


def test_a_template_that_comes_back_is_the_newest_revision() -> None:
    """DP12, DP13: and remembers what it was."""
    world = World()
    key = _deploy(world, 1)
    for image in ("two", "one", "two", "one"):
        world.change(key, template=_template(image))
        _up(world, 3)
    assert len(world.list(kinds.REPLICA_SET)) == 2
    newest = _set_of(world, "one")
    assert annotations_of(newest)[_REVISION] == "5"
    assert annotations_of(newest)["deployment.kubernetes.io/revision-history"] == "1,3"
    assert annotations_of(world.objects[key])[_REVISION] == "5"


def test_a_broken_version_stops_and_goes_at_once_when_taken_back() -> None:
    """DP15, DP16: what never became available is deleted without waiting."""
    world = World()
    key = _deploy(world, 10)
    world.change(key, template=_template("two"))
    _up(world, broken="two")
    assert _sizes(world) == {"one": 8, "two": 5}
    world.change(key, template=_template("one"))
    world.settle(*_BOTH)
    assert _sizes(world)["two"] == 0
    assert not pods(world, "two")


def test_a_third_template_makes_both_others_old() -> None:
    """DP17."""
    world = World()
    key = _deploy(world, 4)
    world.change(key, template=_template("two"))
    world.settle(*_BOTH)
    world.change(key, template=_template("three"))
    world.settle(*_BOTH)
    sizes = _sizes(world)
    assert sizes["two"] == 0
    assert sizes["three"] == 2
    _up(world)
    assert _sizes(world) == {"one": 0, "two": 0, "three": 4}


def test_scaling_during_a_rollout_is_proportional() -> None:
    """DP18: the case of the conformance suite: 8 and 5 of 13 become 20 and 13 of 33."""
    world = World()
    key = _deploy(world, 10, strategy=_rolling(3, 2))
    world.change(key, template=_template("two"))
    _up(world, broken="two")
    assert _sizes(world) == {"one": 8, "two": 5}
    world.change(key, replicas=30)
    world.settle(*_BOTH)
    assert _sizes(world) == {"one": 20, "two": 13}


def test_recreate_waits_until_the_last_old_pod_is_gone() -> None:
    """DP19: one that is still ending counts."""
    world = World()
    key = _deploy(world, 3, strategy={"type": "Recreate"})
    slow = pods(world)[0]
    meta(world.objects[Key.of(slow)])["finalizers"] = ["example.com/slow"]
    world.change(key, template=_template("two"))
    world.settle(*_BOTH)
    assert len(pods(world)) == 1
    assert _sizes(world) == {"one": 0}
    del world.objects[Key.of(slow)]
    world.settle(*_BOTH)
    assert _sizes(world) == {"one": 0, "two": 3}


def test_a_paused_one_does_not_roll_but_scales() -> None:
    """DP20."""
    world = World()
    key = _deploy(world, 2)
    world.change(key, paused=True, template=_template("two"))
    _up(world, 3)
    assert _sizes(world) == {"one": 2}
    assert _reason(world, key) == ("Unknown", "DeploymentPaused")
    world.change(key, replicas=4)
    _up(world, 3)
    assert _sizes(world) == {"one": 4}
    world.change(key, paused=None)
    world.step(DeploymentController())
    _up(world)
    assert _sizes(world) == {"one": 0, "two": 4}
    assert _reason(world, key) == ("True", "NewReplicaSetAvailable")


def test_resuming_is_told() -> None:
    """DP20."""
    world = World()
    key = _deploy(world, 2)
    _up(world, 1, broken="one")
    world.change(key, paused=True)
    _up(world, 1)
    for pod in pods(world):
        world.delete(Key.of(pod))
    world.settle(*_BOTH)
    world.change(key, paused=None)
    world.settle(*_BOTH)
    assert _reason(world, key) == ("Unknown", "DeploymentResumed")


def test_the_rollout_waits_for_min_ready_seconds() -> None:
    """DP21: and a later change reaches the ReplicaSet that is there."""
    world = World()
    key = _deploy(world, 2, minReadySeconds=30, strategy=_rolling(1, 0))
    assert "availableReplicas" not in world.objects[key]["status"]
    world.now += 30
    world.settle(*_BOTH)
    assert world.objects[key]["status"]["availableReplicas"] == 2
    world.change(key, minReadySeconds=60)
    world.settle(*_BOTH)
    assert _set_of(world, "one")["spec"]["minReadySeconds"] == 60
    assert "availableReplicas" not in world.objects[key]["status"]


def test_available_is_a_matter_of_max_unavailable() -> None:
    """DP23: Recreate allows none."""
    for strategy, enough in ((_rolling(0, 1), "True"), ({"type": "Recreate"}, "False")):
        world = World()
        key = _deploy(world, 3, strategy=strategy)
        assert _reason(world, key, "Available") == ("True", "MinimumReplicasAvailable")
        pod = pods(world)[0]
        world.objects[Key.of(pod)] = {**pod, "status": {**pod["status"], "conditions": []}}
        world.settle(*_BOTH)
        assert _reason(world, key, "Available")[0] == enough


def test_what_progressing_says_on_the_way() -> None:
    """DP22, DP24, DP26: lastUpdateTime moves with progress, lastTransitionTime with the status."""
    world = World()
    key = Key.of(world.add(default(workload("Deployment", 2))))
    world.step(DeploymentController())
    assert _reason(world, key) == ("True", "NewReplicaSetCreated")
    first = condition(world.objects[key], "Progressing") or {}
    assert first["message"].startswith('Created new replica set "web-')
    world.now += 5
    world.settle(*_BOTH)
    assert _reason(world, key) == ("True", "ReplicaSetUpdated")
    world.run_pods()
    world.settle(*_BOTH)
    assert _reason(world, key) == ("True", "NewReplicaSetAvailable")
    last = condition(world.objects[key], "Progressing") or {}
    assert last["lastTransitionTime"] == first["lastTransitionTime"]
    assert last["lastUpdateTime"] > first["lastUpdateTime"]


def test_no_progress_for_too_long_is_told_and_tried_on() -> None:
    """DP25."""
    world = World()
    key = _deploy(world, 2, progressDeadlineSeconds=60)
    world.now += 10_000
    world.change(key, template=_template("two"))
    _up(world, 2, broken="two")
    # The deadline counts from the rollout's begin, not from the one before.
    assert _reason(world, key)[0] == "True"
    world.now += 59
    world.settle(*_BOTH)
    assert _reason(world, key)[0] == "True"
    assert DeploymentController().plan(key, world, world.now).requeue_after == 1
    world.now += 1
    world.settle(*_BOTH)
    assert _reason(world, key) == ("False", "ProgressDeadlineExceeded")
    assert pods(world, "two")
    for pod in pods(world, "two"):
        status = {**pod["status"], "conditions": [{"type": "Ready", "status": "True"}]}
        world.objects[Key.of(pod)] = {**pod, "status": status}
    _up(world)
    assert _reason(world, key) == ("True", "NewReplicaSetAvailable")


def test_pods_that_fail_after_a_rollout_are_not_its_failure() -> None:
    """DP25: a complete rollout has no deadline any more."""
    world = World()
    key = _deploy(world, 2, progressDeadlineSeconds=60)
    pod = pods(world)[0]
    world.objects[Key.of(pod)] = {**pod, "status": {**pod["status"], "conditions": []}}
    world.settle(*_BOTH)
    world.now += 100
    world.settle(*_BOTH)
    assert _reason(world, key) == ("True", "NewReplicaSetAvailable")


def test_what_cannot_be_created_is_told() -> None:
    """DP28, R03: from the Pod up, and the ReplicaSet itself."""
    world = World()
    world.refused = {"ReplicaSet"}
    key = Key.of(world.add(default(workload("Deployment", 2))))
    world.step(DeploymentController())
    world.step(DeploymentController())
    assert _reason(world, key) == ("False", "ReplicaSetCreateError")
    world.refused = {"Pod"}
    for _ in range(3):
        world.step(DeploymentController())
        world.step(ReplicaSetController())
    assert _reason(world, key, "ReplicaFailure") == ("True", "FailedCreate")
    world.refused = set()
    _up(world, 3)
    assert condition(world.objects[key], "ReplicaFailure") is None
    assert _reason(world, key) == ("True", "NewReplicaSetAvailable")


@pytest.mark.parametrize(("limit", "kept"), [(0, 1), (2, 3), (10, 5)])
def test_old_replica_sets_are_forgotten(limit: int, kept: int) -> None:
    """DP29."""
    world = World()
    key = _deploy(world, 1, revisionHistoryLimit=limit)
    for image in ("two", "three", "four", "five"):
        world.change(key, template=_template(image))
        _up(world, 4)
    assert len(world.list(kinds.REPLICA_SET)) == kept
    assert "five" in _sizes(world)


def test_a_restart_is_a_change_of_the_template() -> None:
    """DP32."""
    world = World()
    key = _deploy(world, 1)
    before = {meta(pod)["uid"] for pod in pods(world)}
    annotations = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    world.change(key, template={"metadata": {"annotations": annotations}})
    _up(world, 4)
    after = {meta(pod)["uid"] for pod in pods(world)}
    assert len(after) == 1
    assert not before & after


def test_a_replica_set_whose_labels_leave_the_selector_is_released() -> None:
    world = World()
    _deploy(world, 1)
    rs = _set_of(world, "one")
    labels_of(world.objects[Key.of(rs)])["app"] = "other"
    world.step(DeploymentController())
    assert not meta(world.objects[Key.of(rs)]).get("ownerReferences")
