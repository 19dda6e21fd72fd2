"""Finding a schema by the words that a user has for its kind, and a field in it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds, schemas
from reconciler.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.api.objects import GroupVersionKind

#: Schemas of what is no Kubernetes kind, by the word for it.
_DOCUMENTS = {"reconciler.yaml": "reconciler.json"}


class Entry(NamedTuple):
    """A kind and its file. ``where``: ``reconciler`` for one that comes with it, else the directory."""

    gvk: GroupVersionKind
    path: Path
    where: str


def entries(state_dir: Path) -> list[Entry]:
    """Return every kind that there is a schema of, sorted by kind and apiVersion; ours count first."""
    ours = schemas.directory()
    library = schemas.Library(ours, state_dir / "schemas")
    found = [
        Entry(gvk, path, "reconciler" if path.parent == ours else str(path.parent))
        for gvk, path in library.kinds()
    ]
    return sorted(found, key=lambda e: (e.gvk.kind, e.gvk.api_version))


def find(word: str, state_dir: Path) -> Path:
    """Return the file of a kind's schema; of several versions the one that is run, or the first.

    Raises ``NotFound`` with the nearest name.
    """
    if word in _DOCUMENTS:
        return schemas.directory() / _DOCUMENTS[word]
    found = entries(state_dir)
    known = kinds.resolve(word)
    matching = [e for e in found if word in _words(e.gvk)]
    if known is not None:
        matching += [e for e in found if e.gvk == known.gvk]
        matching += [e for e in found if (e.gvk.group, e.gvk.kind) == (known.group, known.kind)]
    if "/" not in word and known is not None:
        matching.sort(key=lambda e: e.gvk != known.gvk)
    if matching:
        return matching[0].path
    names = {w for e in found for w in (e.gvk.kind, f"{e.gvk.api_version}/{e.gvk.kind}")}
    near = difflib.get_close_matches(word, [*names, *_DOCUMENTS], 1, 0.6)
    hint = f', did you mean "{near[0]}"?' if near else "; `reconciler schemas list` shows them"
    raise NotFound(f'there is no schema of "{word}"{hint}')


def _words(gvk: GroupVersionKind) -> tuple[str, ...]:
    return gvk.kind, gvk.kind.lower(), f"{gvk.api_version}/{gvk.kind}"


def below(schema: dict[str, Any], kind: str, field: str) -> dict[str, Any]:
    """Return what a schema says of a field, its reference followed; lists are passed through.

    Raises ``NotFound`` with the nearest field.
    """
    at = schema
    seen: list[str] = []
    for name in field.split("."):
        properties = _resolved(at, schema).get("properties") or {}
        if name not in properties:
            near = difflib.get_close_matches(name, properties, 1, 0.6)
            hint = f', did you mean "{near[0]}"?' if near else ""
            raise NotFound(f'{".".join([kind, *seen])} has no field "{name}"{hint}')
        at = properties[name]
        seen.append(name)
    return _followed(at, schema)


def _followed(at: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to in its place, one step deep."""
    while "$ref" in at:
        target = root["$defs"].get(at["$ref"].rpartition("/")[2], {})
        at = {**target, **{k: v for k, v in at.items() if k != "$ref"}}
    return at


def _resolved(at: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that holds fields: of the items where it is a list, of the values where it is a map."""
    at = _followed(at, root)
    for word in ("items", "additionalProperties"):
        if isinstance(at.get(word), dict):
            return _resolved(at[word], root)
    return at
