"""A kind's schema as a file of its own: with a head, its apiVersion and kind, and the definitions that it reaches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import GroupVersionKind
    from reconciler.api.schemas.conversion import Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS_WORD = "x-kubernetes-group-version-kind"


def standalone(gvk: GroupVersionKind, schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return a kind's schema with a head, its own apiVersion and kind, and the definitions that it reaches.

    Raises ``BadRequest`` for a reference that leads nowhere.
    """
    properties = {**(schema.get("properties") or {})}
    properties |= {"apiVersion": {"const": gvk.api_version}, "kind": {"const": gvk.kind}}
    metadata = properties.get("metadata")
    if isinstance(metadata, dict) and "$ref" in metadata:
        # Null is "not set" everywhere but here: an object without metadata has no name.
        properties["metadata"] = {**metadata, "not": {"type": "null"}}
    required = sorted({*schema.get("required", ()), "apiVersion", "kind", "metadata"})
    head: Schema = {
        "$schema": DIALECT,
        "$id": file_name(gvk),
        "title": f"{gvk.kind} {gvk.api_version}",
    }
    kept = {k: v for k, v in schema.items() if not k.startswith("$")}
    body = kept | {"type": "object", "properties": properties, "required": required}
    body[KINDS_WORD] = [{"group": gvk.group, "version": gvk.version, "kind": gvk.kind}]
    held = {name: definitions[name] for name in _reached(gvk, body, definitions)}
    return head | body | ({"$defs": held} if held else {})


def written(schema: Schema) -> str:
    """Return a schema as its file holds it: the head first, then in the order of names, so that two imports differ little."""
    head = {k: schema[k] for k in ("$schema", "$id", "title", "description") if k in schema}
    rest = {k: _sorted(v) for k, v in sorted(schema.items()) if k not in head and k != "$defs"}
    tail = {"$defs": _sorted(schema["$defs"])} if "$defs" in schema else {}
    return json.dumps(head | rest | tail, indent=1) + "\n"


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _sorted(v) for k, v in sorted(value.items())}
    return [_sorted(v) for v in value] if isinstance(value, list) else value


def file_name(gvk: GroupVersionKind) -> str:
    """Return a kind's file, as kubeconform names it: ``deployment-apps-v1.json``, ``pod-v1.json``."""
    return _joined(gvk, gvk.group.partition(".")[0])


def long_file_name(gvk: GroupVersionKind) -> str:
    """Return a kind's file where another group has taken the short one: ``widget-shop.example.org-v1.json``."""
    return _joined(gvk, gvk.group)


def _joined(gvk: GroupVersionKind, group: str) -> str:
    return "-".join(part for part in (gvk.kind.lower(), group, gvk.version) if part) + ".json"


def references(value: Any) -> set[str]:
    """Return the names of all definitions that a schema refers to, directly."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("$ref"), str):
                found.add(one["$ref"].rpartition("/")[2])
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return found


def _reached(gvk: GroupVersionKind, schema: Schema, definitions: Mapping[str, Schema]) -> list[str]:
    """Return the names of all definitions that a schema reaches, sorted."""
    done: set[str] = set()
    waiting = references(schema)
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            raise BadRequest(f'{gvk.kind} {gvk.api_version} refers to "{name}", which is not there')
        done.add(name)
        waiting |= references(definitions[name]) - done
    return sorted(done)
