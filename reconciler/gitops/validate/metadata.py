"""What every object's metadata must be like, with a schema or without. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import schemas

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
