"""From the schemas that Kubernetes writes (OpenAPI 2, OpenAPI 3.0, CustomResourceDefinitions) to JSON Schema 2020-12.

Strict as an API server is with strict field validation: what a schema does not name is not allowed. Two dialects:
``built_in`` for types that Go decodes (there null means "not set"), ``structural`` for custom resources (there null
is a value only where ``nullable`` says so; elsewhere it is not set, see ``custom_values``). ``x-kubernetes-*`` are kept: server-side apply and strategic merge read them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.api.schemas.custom_values import MARK
from reconciler.api.schemas.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]

#: What a quantity looks like to an API server's decoder.
QUANTITY = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"

_META: Schema = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}
_BITS = {"int32": 31, "int64": 63}
#: Formats of OpenAPI that restrict nothing beyond their type; any other is dropped, as JSON Schema may mean another thing by it.
_PLAIN_FORMATS = frozenset({"int32", "int64", "float", "double", "password"})
_DROPPED = frozenset({"nullable", "example", "externalDocs", "discriminator", "xml", "id", "$schema", "patternProperties"})  # fmt: skip
_OPEN = "x-kubernetes-preserve-unknown-fields"
_MANY = ("allOf", "anyOf", "oneOf")
#: Definitions that hold any object, or any value.
_ANYTHING = frozenset({"meta.v1.FieldsV1", "pkg.runtime.RawExtension", "apiextensions.v1.JSON"})
#: An API server throws a status away: nothing in it is asked for.
_STATUS = re.compile(r"(Status|Condition)\Z")
#: Fields that the published OpenAPI calls required and that an API server does not ask for (measured with 1.36).
_NOT_ASKED_FOR = frozenset({
    ("core.v1.ContainerStateTerminated", "exitCode"),
    ("core.v1.HTTPHeader", "value"),
    ("core.v1.ISCSIVolumeSource", "lun"),
    ("core.v1.PreferredSchedulingTerm", "preference"),
    ("core.v1.ScaleIOVolumeSource", "secretRef"),
    ("core.v1.Sysctl", "value"),
})  # fmt: skip


def short_name(definition: str) -> str:
    """Return a definition's name without its domain and folders.

    >>> short_name("io.k8s.api.core.v1.Pod"), short_name("#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity")
    ('core.v1.Pod', 'resource.Quantity')
    """
    parts = definition.rpartition("/")[2].split(".")
    return ".".join(parts[-2:] if parts[-1] in ("Quantity", "IntOrString") else parts[-3:])


def built_in(name: str, schema: Schema, named: Callable[[str], str] = short_name) -> Schema:
    """Return a definition of a Go type; ``named`` says what a reference is called in ``$defs``."""
    short = short_name(name)
    if short == "resource.Quantity":
        return {"type": ["string", "number", "null"], "pattern": QUANTITY, "x-kubernetes-quantity": True}  # fmt: skip
    if short == "intstr.IntOrString":
        return {"type": ["integer", "string", "null"], "x-kubernetes-int-or-string": True}
    if short in _ANYTHING:
        return {_OPEN: True}
    found = _go_value(schema, named, optional=True, status=bool(_STATUS.search(short)))
    given = schema.get("required")
    asked = {r for r in given if (short, r) not in _NOT_ASKED_FOR} if isinstance(given, list) else set()  # fmt: skip
    properties = schema.get("properties")
    if isinstance(properties, dict):
        if _STATUS.search(short):
            asked = set()
        found["properties"] = {
            key: _go_value(
                below, named, optional=key not in asked, status=bool(_STATUS.search(short))
            )
            for key, below in properties.items()
            if isinstance(below, dict)
        }
        found.setdefault("additionalProperties", False)
    if asked:
        found["required"] = sorted(asked)
    return found


def _go_value(
    schema: Schema, named: Callable[[str], str], *, optional: bool, status: bool
) -> Schema:
    """Return what stands at a field: a reference, a list, a map or a scalar."""
    reference = _reference(schema)
    if reference is not None:
        out: Schema = {"$ref": "#/$defs/" + named(reference)}
        out |= {k: v for k, v in schema.items() if k == "description" or k.startswith("x-")}
        return out
    out = {k: v for k, v in schema.items() if k == "description" or k.startswith("x-")}
    out.pop("x-kubernetes-group-version-kind", None)
    kind = schema.get("type")
    format_ = schema.get("format")
    if format_ == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return out | {"type": ["integer", "string", "null"], "x-kubernetes-int-or-string": True}
    if isinstance(kind, str):
        out["type"] = [kind, "null"] if optional else kind
    elif isinstance(schema.get("oneOf"), list) and not schema.get("properties"):
        return out
    if isinstance(schema.get("default"), bool | int | float | str):
        out["default"] = schema["default"]
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            out[word] = _go_value(schema[word], named, optional=True, status=status)
    if isinstance(schema.get("enum"), list) and kind in ("string", "integer") and not status:
        words = [w for w in schema["enum"] if w not in ("", None)]
        out["enum"] = [*dict.fromkeys(words), "", None] if optional else list(dict.fromkeys(words))
    out |= _formatted(kind, format_)
    return out


def _reference(schema: Schema) -> str | None:
    """Return what a schema refers to; OpenAPI 3.0 wraps a reference in ``allOf`` to put words beside it."""
    wrapped = schema.get("allOf")
    if isinstance(wrapped, list) and len(wrapped) == 1 and isinstance(wrapped[0], dict):
        schema = wrapped[0]
    found = schema.get("$ref")
    return found if isinstance(found, str) else None


def _formatted(kind: Any, format_: Any) -> Schema:
    """Return a format, and the bounds that it means."""
    if not isinstance(format_, str) or not (format_ in FORMATS or format_ in _PLAIN_FORMATS):
        return {}
    out: Schema = {"format": format_}
    if format_ in _BITS and kind == "integer":
        out |= {"minimum": -(2 ** _BITS[format_]), "maximum": 2 ** _BITS[format_] - 1}
    return out


def structural(schema: Schema) -> Schema:
    """Return the schema of a custom kind's version, from its root."""
    properties = schema.get("properties")
    own = properties if isinstance(properties, dict) else {}
    root = {**schema, "type": "object", "properties": {**_META, **own}}
    return {**_strict(root), MARK: True}


def _strict(schema: Schema) -> Schema:
    out = _structural_value(schema, _strict)
    if schema.get("x-kubernetes-embedded-resource"):
        out["properties"] = {**_META, **(out.get("properties") or {})}
        out["required"] = sorted({"apiVersion", "kind", *(out.get("required") or ())})
    open_ = schema.get(_OPEN) or "additionalProperties" in schema
    if out.get("properties") and not open_:
        out["additionalProperties"] = False
    return out


def _loose(schema: Schema) -> Schema:
    """Return what stands below ``anyOf`` and its like: it only adds conditions."""
    return _structural_value(schema, _loose)


def _structural_value(schema: Schema, below: Callable[[Schema], Schema]) -> Schema:
    out = {k: v for k, v in schema.items() if k not in _DROPPED and k not in ("$ref", "format")}
    properties = out.get("properties")
    if isinstance(properties, dict):
        out["properties"] = {k: below(v) for k, v in properties.items() if isinstance(v, dict)}
    for word in ("items", "additionalProperties"):
        if isinstance(out.get(word), dict):
            out[word] = below(out[word])
    if isinstance(out.get("not"), dict):
        out["not"] = _loose(out["not"])
    for word in _MANY:
        if isinstance(out.get(word), list):
            out[word] = [_loose(v) for v in out[word] if isinstance(v, dict)]
    _bound(out, schema)
    if schema.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
    if schema.get("nullable") and isinstance(out.get("type"), str | list):
        given = out["type"]
        out["type"] = [*([given] if isinstance(given, str) else given), "null"]
    return out


def _bound(out: Schema, schema: Schema) -> None:
    """Put in the bounds of a number as JSON Schema says them, and a format that it knows."""
    for bound, word in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        # OpenAPI 3.0 says true and means the other bound.
        if isinstance(out.get(bound), bool) and out.pop(bound) and word in out:
            out[bound] = out.pop(word)
    limits = _formatted(out.get("type"), schema.get("format"))
    if isinstance(schema.get("format"), str) and "format" not in limits:
        # JSON Schema may mean another thing by it (a duration); rules want to know it nevertheless.
        out["x-format"] = schema["format"]
    if "maximum" in limits:
        limits = {k: v for k, v in limits.items() if k not in out}
    out |= limits
