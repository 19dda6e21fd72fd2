"""CustomResourceDefinitions are established at once: what comes after one may begin."""

from __future__ import annotations

from reconciler.api import conditions, kinds
from reconciler.api.objects import Key
from reconciler.controllers.definition import DefinitionController
from reconciler.gitops.health import reconciled
from tests.unit.controllers.snapshot import World


def test_a_definition_is_established_once() -> None:
    world = World()
    made = world.add({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "names": {"kind": "Widget", "plural": "widgets"}},
    })  # fmt: skip
    world.settle(DefinitionController())
    found = world.objects[Key.of(made)]
    assert conditions.is_true(found, "Established")
    assert found["status"]["acceptedNames"] == {"kind": "Widget", "plural": "widgets"}
    assert reconciled(found).status == "Current"
    assert not DefinitionController().plan(Key.of(made), world, 99.0).actions
    assert kinds.CUSTOM_RESOURCE_DEFINITION in kinds.KINDS
