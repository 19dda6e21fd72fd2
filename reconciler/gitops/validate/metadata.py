"""What every object's metadata must be like, with a schema or without. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import names, schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document


def check_shape(document: Document) -> Iterator[Finding]:
    """Yield where metadata has a wrong type: for kinds without a schema, that nothing else looks at."""
    meta: Any = document.object.get("metadata")
    if not isinstance(meta, dict):
        path = ("metadata",) if "metadata" in document.object else ()
        yield _wrong(document, path, "an object", meta)
        return
    for field in ("name", "generateName", "namespace"):
        if field in meta and not isinstance(meta[field], str):
            yield _wrong(document, ("metadata", field), "a string", meta[field])
    for field in ("labels", "annotations"):
        held = meta.get(field)
        if held is None:
            continue
        if not isinstance(held, dict):
            yield _wrong(document, ("metadata", field), "an object", held)
            continue
        for key, value in held.items():
            if not isinstance(value, str):
                yield _wrong(document, ("metadata", field, key), "a string", value)


def _wrong(document: Document, path: tuple[str, ...], wanted: str, value: Any) -> Finding:
    where = ".".join(path) or "metadata"
    told = f"{where}: expected {wanted}, got {schemas.describe(value)}"
    return document.finding("schema/type", "error", told, path)


def check_names(document: Document) -> Iterator[Finding]:
    """Yield names, labels and annotations that an API server refuses (M20)."""
    meta = document.object.get("metadata") or {}
    name = meta.get("name")
    if name:
        wrong = names.problem(str(document.object.get("kind")), str(name))
        if wrong:
            told = f'metadata.name: Invalid value: "{name}": {wrong}'
            yield document.finding("rule/name", "error", told, ("metadata", "name"))
    elif not meta.get("generateName"):
        told = "metadata.name: Required value: name or generateName is required"
        yield document.finding("rule/required", "error", told, ("metadata", "name"))
    namespace = meta.get("namespace")
    if namespace and (wrong := names.label_problem(str(namespace))):
        told = f'metadata.namespace: Invalid value: "{namespace}": {wrong}'
        yield document.finding("rule/name", "error", told, ("metadata", "namespace"))
    for field in ("labels", "annotations"):
        for key, value in (meta.get(field) or {}).items():
            wrong = names.qualified_problem(str(key))
            if not wrong and field == "labels":
                wrong = names.label_value_problem(value)
            if wrong:
                told = f'metadata.{field}: Invalid value: "{key}": {wrong}'
                yield document.finding("rule/name", "error", told, ("metadata", field, str(key)))
