"""Claims: provisioned, bound on both sides, and reclaimed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.objects import Key, annotations_of, is_deleting, name_of
from reconciler.controllers.volume import (
    PROVISIONER,
    SELECTED_NODE,
    ClaimController,
    VolumeController,
)
from tests.unit.controllers.snapshot import World

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def _world(mode: str) -> tuple[World, Key]:
    world = World()
    world.add(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "standard"},
            "provisioner": "reconciler.dev/local-path",
            "volumeBindingMode": mode,
        }
    )
    claim = world.add(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "default"},
            "spec": {
                "storageClassName": "standard",
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
    )
    return world, Key.of(claim)


def test_an_immediate_claim_is_provisioned_and_bound_and_its_volume_goes_with_it() -> None:
    """V06, V09, V14."""
    world, key = _world("Immediate")
    world.settle(ClaimController(), VolumeController())
    (volume,) = world.list(kinds.PERSISTENT_VOLUME)
    claim = world.objects[key]
    assert claim["spec"]["volumeName"] == name_of(volume)
    assert claim["status"]["phase"] == volume["status"]["phase"] == "Bound"
    del world.objects[key]
    world.settle(ClaimController(), VolumeController())
    (volume,) = world.list(kinds.PERSISTENT_VOLUME)
    assert is_deleting(volume)
    assert volume["metadata"]["finalizers"] == [PROVISIONER]  # until the kubelet has emptied it


def test_a_claim_that_waits_for_its_consumer_follows_the_selected_node() -> None:
    """V08."""
    world, key = _world("WaitForFirstConsumer")
    world.settle(ClaimController(), VolumeController())
    assert not world.list(kinds.PERSISTENT_VOLUME)
    world.objects[key]["metadata"]["annotations"] = {SELECTED_NODE: "here"}
    world.settle(ClaimController(), VolumeController())
    assert world.objects[key]["status"]["phase"] == "Bound"


def _volume(
    name: str, size: str = "1Gi", modes: tuple[str, ...] = ("ReadWriteOnce",), **spec: Any
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": spec.pop("labels", {})},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": list(modes),
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/data"},
            **spec,
        },
        "status": {"phase": "Available"},
    }


def _claim(name: str = "data", size: str = "1Gi", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "",
            "resources": {"requests": {"storage": size}},
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def _settle(world: World) -> None:
    world.settle(ClaimController(), VolumeController())


def _phase(world: World, key: Key) -> str:
    return str(world.objects[key]["status"]["phase"])


def test_the_volume_with_the_fewest_modes_and_then_the_smallest_is_chosen() -> None:
    """V02: and the claim is told the volume's capacity, which can be more than it asked for (V06)."""
    world = World()
    world.add(_volume("a-many", "1Gi", ("ReadWriteOnce", "ReadOnlyMany")))
    world.add(_volume("b-large", "9Gi"))
    world.add(_volume("c-right", "2Gi"))
    world.add(_volume("d-small", "500Mi"))
    key = Key.of(world.add(_claim()))
    _settle(world)
    claim = world.objects[key]
    assert claim["spec"]["volumeName"] == "c-right"
    assert claim["status"]["capacity"] == {"storage": "2Gi"}
    assert annotations_of(claim)["pv.kubernetes.io/bound-by-controller"] == "yes"
    volume = world.objects[Key("", "PersistentVolume", "", "c-right")]
    assert volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]


def test_a_volume_that_is_reserved_for_the_claim_wins() -> None:
    """V03: and another claim never gets it (V07)."""
    world = World()
    ref = {"namespace": "default", "name": "data"}
    world.add(_volume("reserved", "5Gi", claimRef=ref))
    world.add(_volume("smaller"))
    other = Key.of(world.add(_claim("other", "2Gi")))
    key = Key.of(world.add(_claim()))
    _settle(world)
    assert world.objects[key]["spec"]["volumeName"] == "reserved"
    assert "volumeName" not in world.objects[other]["spec"]


@pytest.mark.parametrize(
    "unlike",
    [
        {"storageClassName": "fast"},
        {"volumeMode": "Block"},
        {"modes": ("ReadOnlyMany",)},
        {"labels": {"tier": "other"}},
        {"size": "1Mi"},
    ],
)
def test_what_does_not_match_is_not_bound(unlike: dict[str, Any]) -> None:
    """V04, V11, V12: the claim says what it waits for."""
    world = World()
    volume = _volume("v", **{"labels": {"tier": "db"}, **unlike})
    world.add(volume)
    key = Key.of(world.add(_claim(selector={"matchLabels": {"tier": "db"}})))
    _settle(world)
    assert _phase(world, key) == "Pending"
    assert any("no storage class is set" in told for told in world.notices)


def test_a_claim_that_names_its_volume_waits_for_that_one() -> None:
    """V05: until it is there, free, and does."""
    world = World()
    key = Key.of(world.add(_claim(volumeName="mine")))
    _settle(world)
    assert _phase(world, key) == "Pending"
    taken = {"namespace": "default", "name": "other", "uid": "u"}
    mine = Key.of(world.add(_volume("mine", "1Mi", claimRef=taken)))
    _settle(world)
    assert any("already bound to a different claim" in told for told in world.notices)
    world.change(mine, claimRef=None)
    _settle(world)
    assert any("requested PV is too small" in told for told in world.notices)
    world.change(mine, capacity={"storage": "1Gi"})
    _settle(world)
    assert _phase(world, key) == _phase(world, mine) == "Bound"


def test_a_claim_without_a_class_gets_the_default_when_there_is_one() -> None:
    """V10: also later; "" is not "none named" (V11)."""
    world = World()
    unset, none = _claim("unset"), _claim("none")
    del unset["spec"]["storageClassName"]
    keys = Key.of(world.add(unset)), Key.of(world.add(none))
    _settle(world)
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    world.add(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "standard", "annotations": default},
            "provisioner": PROVISIONER,
        }
    )
    _settle(world)
    assert [_phase(world, key) for key in keys] == ["Bound", "Pending"]


def test_a_volume_that_is_kept_is_not_given_to_another_claim() -> None:
    """V13: until somebody has looked at its data and removed the claimRef."""
    world = World()
    volume = Key.of(world.add(_volume("v")))
    first = Key.of(world.add(_claim("first")))
    _settle(world)
    del world.objects[first]
    second = Key.of(world.add(_claim("second")))
    _settle(world)
    assert (_phase(world, volume), _phase(world, second)) == ("Released", "Pending")
    world.change(volume, claimRef=None)
    _settle(world)
    assert _phase(world, second) == "Bound"


@pytest.mark.parametrize("misbound", [False, True])
def test_a_claim_whose_volume_is_gone_is_lost(misbound: bool) -> None:
    """V16."""
    world = World()
    volume = Key.of(world.add(_volume("v")))
    key = Key.of(world.add(_claim()))
    _settle(world)
    if misbound:
        world.change(volume, claimRef={"name": "other", "uid": "u"})
    else:
        del world.objects[volume]
    _settle(world)
    assert _phase(world, key) == "Lost"
    told = "bound incorrectly" if misbound else "has lost its PersistentVolume"
    assert any(told in notice for notice in world.notices)


def test_a_claim_in_use_and_a_volume_in_use_are_held() -> None:
    """V17, V18."""
    world = World()
    volume = Key.of(world.add(_volume("v")))
    key = Key.of(world.add(_claim()))
    for held, finalizer in (
        (key, "kubernetes.io/pvc-protection"),
        (volume, "kubernetes.io/pv-protection"),
    ):
        world.objects[held]["metadata"]["finalizers"] = [finalizer]
    mount = {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}
    pod = world.add(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {"volumes": [mount], "containers": [{"name": "c"}]},
        }
    )
    _settle(world)
    world.delete(key)
    world.delete(volume)
    _settle(world)
    assert {key, volume} <= world.objects.keys()
    world.end_pod(pod)
    _settle(world)
    assert not {key, volume} & world.objects.keys()


def test_a_claim_that_asks_for_more_grows_with_its_directory() -> None:
    """V20."""
    world, key = _world("Immediate")
    _settle(world)
    world.change(key, resources={"requests": {"storage": "5Gi"}})
    _settle(world)
    assert world.objects[key]["status"]["capacity"] == {"storage": "5Gi"}
