"""Objects of kinds whose schemas an operator imported are held to them: fields, merging, and their author's rules in CEL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import schemas
from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas.custom import of_definition
from reconciler.api.schemas.standalone import file_name, standalone, written
from reconciler.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.registry import Registry

GVK = GroupVersionKind("example.org", "v1", "Cart")
SPEC = {
    "type": "object",
    "properties": {
        "owner": {"type": "string"},
        "items": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
            },
        },
    },
    "x-kubernetes-validations": [
        {"rule": "self.owner == oldSelf.owner", "message": "owner cannot change"},
        {"rule": "self.owner != 'root'", "message": "not root"},
    ],
}


@pytest.fixture(autouse=True)
def in_force(tmp_path: Path) -> Iterator[None]:
    version = {"name": "v1", "schema": {"openAPIV3Schema": {"properties": {"spec": SPEC}}}}
    definition = {"spec": {"group": GVK.group, "names": {"kind": GVK.kind}, "versions": [version]}}
    for gvk, schema in of_definition(definition).items():
        (tmp_path / file_name(gvk)).write_text(written(standalone(gvk, schema, {})))
    with pytest.MonkeyPatch.context() as patch:
        library = schemas.Library(schemas.directory(), tmp_path)
        patch.setattr(schemas, "current", lambda: library)
        yield


def cart(**spec: Any) -> dict[str, Any]:
    meta = {"name": "c", "namespace": "default"}
    return {"apiVersion": "example.org/v1", "kind": "Cart", "metadata": meta, "spec": spec}


async def test_unknown_fields_are_refused(registry: Registry) -> None:
    with pytest.raises(Invalid, match="ownr"):
        await registry.apply(cart(ownr="me"), field_manager="me")


async def test_lists_merge_by_the_keys_of_their_author(registry: Registry) -> None:
    await registry.apply(cart(owner="me", items=[{"name": "a", "count": 1}]), field_manager="one")
    made = await registry.apply(cart(items=[{"name": "b", "count": 2}]), field_manager="two")
    assert {i["name"]: i["count"] for i in made["spec"]["items"]} == {"a": 1, "b": 2}


async def test_rules_hold_for_what_is_made_and_for_what_is_changed(registry: Registry) -> None:
    pytest.importorskip("cel_expr_python", reason="the extra cel is not installed")
    with pytest.raises(Invalid, match="not root"):
        await registry.apply(cart(owner="root"), field_manager="me")
    await registry.apply(cart(owner="me"), field_manager="me")
    with pytest.raises(Invalid, match="owner cannot change"):
        await registry.apply(cart(owner="you"), field_manager="me", dry_run=True)
    await registry.apply(cart(owner="me", items=[]), field_manager="me")
