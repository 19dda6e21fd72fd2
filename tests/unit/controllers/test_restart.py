"""Restart on change."""

from __future__ import annotations

from reconciler.api import kinds
from reconciler.api.config_hash import HASH
from reconciler.api.objects import Key
from reconciler.controllers.restart import RestartOnChange
from tests.unit.controllers.snapshot import World, workload


def test_only_a_later_change_of_a_config_map_rolls_the_workload() -> None:
    world = World()
    obj = workload("Deployment", 1)
    obj["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "c"}}]
    key = Key.of(world.add(obj))
    about = {"name": "c", "namespace": "default"}
    config = world.add(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"a": "1"}}
    )
    before = world.objects[key]["spec"]
    world.settle(RestartOnChange(kinds.DEPLOYMENT))
    assert world.objects[key]["spec"] == before
    world.objects[Key.of(config)] = {**config, "data": {"a": "2"}}
    world.settle(RestartOnChange(kinds.DEPLOYMENT))
    assert HASH in world.objects[key]["spec"]["template"]["metadata"]["annotations"]
