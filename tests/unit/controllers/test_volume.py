"""Claims: provisioned, bound on both sides, and reclaimed."""

from __future__ import annotations

from reconciler.api import kinds
from reconciler.api.objects import Key, is_deleting, name_of
from reconciler.controllers.volume import (
    PROVISIONER,
    SELECTED_NODE,
    ClaimController,
    VolumeController,
)
from tests.unit.controllers.snapshot import World


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
