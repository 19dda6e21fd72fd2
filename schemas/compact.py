"""OpenAPI definitions from the short notation of ``stored.yaml``: one field a line, ``NAME[!]: TYPE [MARKS]``.

``!`` says that a field is asked for. TYPE is a word of ``_PLAIN``, ``enum A B C``, the short name of a definition, ``[TYPE]`` for a
list or ``{TYPE}`` for a map. MARKS are ``atomic``, ``set``, ``map=KEY`` (how a list merges in server-side apply) and ``patch=KEY``
(in a strategic merge patch).
"""

from __future__ import annotations

from typing import Any

from reconciler.api.objects import GroupVersionKind

Schema = dict[str, Any]

_PLAIN: dict[str, Schema] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "object": {"type": "object"},
    "any": {"$ref": "#/definitions/io.k8s.api.apiextensions.v1.JSON"},
    "time": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"},
    "quantity": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"},
}
_META = "io.k8s.apimachinery.pkg.apis."
_API = "io.k8s.api."
_ENUM = "enum "


def definitions(facts: dict[str, Any]) -> dict[str, Schema]:
    """Return the definitions of ``stored.yaml`` by their full names, those of kinds with apiVersion, kind and metadata."""
    kinds = {name: _gvk(words) for words, name in facts["kinds"].items()}
    found = {
        _full(name): _definition(fields, kinds.get(name))
        for name, fields in facts["definitions"].items()
    }
    found[_full("apiextensions.v1.JSON")] = {}
    return found


def _gvk(words: str) -> GroupVersionKind:
    version, _, kind = words.partition(" ")
    return GroupVersionKind.parse(version, kind)


def _definition(fields: dict[str, str], gvk: GroupVersionKind | None) -> Schema:
    properties = {name.rstrip("!"): field(text) for name, text in fields.items()}
    asked = sorted(name.rstrip("!") for name in fields if name.endswith("!"))
    found: Schema = {"type": "object", "properties": properties}
    if gvk is not None:
        meta = {"$ref": f"#/definitions/{_META}meta.v1.ObjectMeta"}
        properties |= {"apiVersion": _PLAIN["string"], "kind": _PLAIN["string"], "metadata": meta}
        found["x-kubernetes-group-version-kind"] = [gvk._asdict()]
    return found | ({"required": asked} if asked else {})


def field(text: str) -> Schema:
    """Return the schema of a field.

    >>> field("[string] atomic")
    {'type': 'array', 'items': {'type': 'string'}, 'x-kubernetes-list-type': 'atomic'}
    >>> field("{quantity}")["additionalProperties"]
    {'$ref': '#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity'}
    """
    if text[0] in "[{":
        inner, _, marks = text[1:].rpartition("]" if text[0] == "[" else "}")
        many = {"type": "array", "items": field(inner)} if text[0] == "[" else {"type": "object", "additionalProperties": field(inner)}  # fmt: skip
        return many | _marks(marks.split(), "list" if text[0] == "[" else "map")
    if text.startswith(_ENUM):
        return {"type": "string", "enum": text.removeprefix(_ENUM).split()}
    return dict(_PLAIN[text]) if text in _PLAIN else {"$ref": f"#/definitions/{_full(text)}"}


def _marks(marks: list[str], what: str) -> Schema:
    found: Schema = {}
    for mark in marks:
        word, _, key = mark.partition("=")
        if word == "patch":
            found |= {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": key}
        else:
            found[f"x-kubernetes-{what}-type"] = word
            if key:
                found["x-kubernetes-list-map-keys"] = [key]
    return found


def _full(short: str) -> str:
    return (_META if short.startswith("meta.") else _API) + short
