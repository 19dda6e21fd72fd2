"""Schemas of custom kinds, from their CustomResourceDefinition: strict, as a kube-apiserver prunes what they do not name.

Rules written in CEL (``x-kubernetes-validations``) are not evaluated.
"""

from __future__ import annotations

from typing import Any

from reconciler.api.objects import GroupVersionKind, Object

_META = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}
_ONE = ("items", "not")
_MANY = ("allOf", "anyOf", "oneOf")


def of_definition(definition: Object) -> dict[GroupVersionKind, dict[str, Any]]:
    """Return the schema of every version that a CustomResourceDefinition serves and gives a schema for."""
    spec = definition.get("spec")
    if not isinstance(spec, dict):
        return {}
    names = spec.get("names")
    kind = names.get("kind") if isinstance(names, dict) else None
    found: dict[GroupVersionKind, dict[str, Any]] = {}
    for version in spec.get("versions") or ():
        if not isinstance(version, dict) or version.get("served") is False:
            continue
        held = version.get("schema")
        schema = held.get("openAPIV3Schema") if isinstance(held, dict) else None
        if isinstance(schema, dict) and kind and version.get("name") and spec.get("group"):
            gvk = GroupVersionKind(str(spec["group"]), str(version["name"]), str(kind))
            found[gvk] = _root(schema)
    return found


def _root(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    own = properties if isinstance(properties, dict) else {}
    return _strict({**schema, "type": "object", "properties": {**_META, **own}})


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a structural schema as JSON Schema 2020-12: what it does not name is not allowed."""
    out = _converted(schema, _strict)
    if schema.get("x-kubernetes-embedded-resource"):
        out["properties"] = {**_META, **(out.get("properties") or {})}
    open_ = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if out.get("properties") and not open_:
        out["additionalProperties"] = False
    return out


def _loose(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what stands below ``anyOf`` and its like: it only adds conditions."""
    return _converted(schema, _loose)


def _converted(schema: dict[str, Any], below: Any) -> dict[str, Any]:
    out = {
        k: v for k, v in schema.items() if k not in ("nullable", "default", "example", "$ref", "id")
    }
    properties = out.get("properties")
    if isinstance(properties, dict):
        out["properties"] = {k: below(v) for k, v in properties.items() if isinstance(v, dict)}
    if isinstance(out.get("additionalProperties"), dict):
        out["additionalProperties"] = below(out["additionalProperties"])
    for word in _ONE:
        if isinstance(out.get(word), dict):
            out[word] = (below if word == "items" else _loose)(out[word])
    for word in _MANY:
        if isinstance(out.get(word), list):
            out[word] = [_loose(v) for v in out[word] if isinstance(v, dict)]
    for bound, word in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        # OpenAPI 3.0 says true and means the other bound.
        if isinstance(out.get(bound), bool) and out.pop(bound) and word in out:
            out[bound] = out.pop(word)
    if schema.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
    if schema.get("nullable") and isinstance(out.get("type"), str | list):
        given = out["type"]
        out["type"] = [*([given] if isinstance(given, str) else given), "null"]
    return out
