"""Schemas of custom kinds, from their CustomResourceDefinition: strict, as an API server prunes what they do not name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas.conversion import Schema, structural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

KIND = "CustomResourceDefinition"


def of_definition(definition: Object) -> dict[GroupVersionKind, Schema]:
    """Return the schema of every version that a CustomResourceDefinition serves and gives a schema for."""
    spec = definition.get("spec")
    if not isinstance(spec, dict):
        return {}
    names = spec.get("names")
    kind = names.get("kind") if isinstance(names, dict) else None
    group = spec.get("group")
    if not (isinstance(kind, str) and isinstance(group, str) and kind and group):
        return {}
    return {
        GroupVersionKind(group, name, kind): structural(schema) for name, schema in _versions(spec)
    }


def _versions(spec: dict[str, Any]) -> Iterator[tuple[str, Schema]]:
    """Yield each served version's name and OpenAPI schema; those of v1beta1 stood once for all versions."""
    shared = spec.get("validation")
    given = spec.get("versions") or [{"name": spec.get("version")}]
    for version in given if isinstance(given, list) else ():
        if not isinstance(version, dict) or version.get("served") is False:
            continue
        held = version.get("schema") or shared
        schema = held.get("openAPIV3Schema") if isinstance(held, dict) else None
        name = version.get("name")
        if isinstance(schema, dict) and isinstance(name, str) and name:
            yield name, schema
