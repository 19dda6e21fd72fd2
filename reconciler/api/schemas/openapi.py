"""OpenAPI documents of Kubernetes (version 2, or 3.0 as ``/openapi/v3`` serves them) to one schema a kind and apiVersion.

Each result stands alone: it carries the definitions that it reaches, so that an editor or another validator can use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas.conversion import Schema, built_in, short_name, structural
from reconciler.api.schemas.standalone import KINDS_WORD, references, standalone
from reconciler.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Definitions of Kubernetes itself and of what is written as it is; those of custom kinds are named after their own group.
_GO = ("io.k8s.", "k8s.io.", "com.github.openshift.")


def is_openapi(document: Any) -> bool:
    """Whether a document is OpenAPI, or the map of definitions alone."""
    return isinstance(document, dict) and _found(document) is not None


def definitions_of(document: dict[str, Any]) -> dict[str, Schema]:
    """Return a document's definitions by their full names. Raises ``BadRequest`` for what is no OpenAPI document."""
    found = _found(document)
    if found is None:
        raise BadRequest("this is no OpenAPI document: it has neither definitions nor components")
    return {name: body for name, body in found.items() if isinstance(body, dict)}


def schemas_of(document: dict[str, Any]) -> Iterator[tuple[GroupVersionKind, Schema]]:
    """Yield the schema of every kind that a document describes, in the order of their names.

    A kind is a definition that says its group, version and kind and has an ObjectMeta; lists and options have none.
    Cost: the size of the document once, and of what each kind reaches. Raises ``BadRequest`` for what is no OpenAPI
    document, and for a reference that leads nowhere.
    """
    definitions = definitions_of(document)
    names = _names(definitions)
    converted = {
        names[name]: built_in(name, body, lambda ref: names.get(ref.rpartition("/")[2], ref))
        for name, body in definitions.items()
        if name.startswith(_GO)
    }
    for name in sorted(definitions):
        body = definitions[name]
        if not _has_metadata(body):
            continue
        for gvk in _kinds(body):
            if name.startswith(_GO):
                yield gvk, standalone(gvk, converted[names[name]], converted)
            else:
                yield gvk, standalone(gvk, structural(body), {})


def _found(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the definitions of a document; None for what is no OpenAPI."""
    if "swagger" in document or "openapi" in document:
        components = document.get("components")
        found = components.get("schemas") if isinstance(components, dict) else None
        found = found if isinstance(found, dict) else document.get("definitions")
        return found if isinstance(found, dict) else None
    bodies = [v for k, v in document.items() if k.startswith(_GO)]
    return document if bodies and len(bodies) == len(document) else None


def _names(definitions: Iterable[str]) -> dict[str, str]:
    """Return each definition's name in ``$defs``: short where no two would be the same."""
    taken: dict[str, str] = {}
    for name in sorted(definitions):
        taken.setdefault(short_name(name), name)
    return {n: short_name(n) if taken[short_name(n)] == n else n for n in definitions}


def _has_metadata(body: Schema) -> bool:
    properties = body.get("properties")
    metadata = properties.get("metadata") if isinstance(properties, dict) else None
    return any(reference.endswith(".ObjectMeta") for reference in references(metadata))


def _kinds(body: Schema) -> Iterator[GroupVersionKind]:
    given = body.get(KINDS_WORD)
    for one in given if isinstance(given, list) else ():
        if isinstance(one, dict):
            group, version, kind = (one.get(k, "") for k in ("group", "version", "kind"))
            if all(isinstance(w, str) for w in (group, version, kind)) and version and kind:
                yield GroupVersionKind(group, version, kind)
