"""Schemas made of a source's documents, and their files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas import Validator, custom, openapi
from reconciler.api.schemas.standalone import file_name, long_file_name, standalone, written
from reconciler.errors import ReconcilerError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.cli.schemas.sources import Found

Schemas = dict[GroupVersionKind, dict[str, Any]]


class Imported(NamedTuple):
    """Files by their name, what was passed over and why, and how many documents were neither."""

    files: dict[str, tuple[GroupVersionKind, str]]
    notes: tuple[str, ...]
    others: int


def imported(documents: Iterable[Found]) -> Imported:
    """Return the schema of every kind that documents describe. The first that describes a kind counts.

    Raises ``SourceError`` where none does, naming what was expected.
    """
    schemas: Schemas = {}
    notes: list[str] = []
    others = 0
    for found in documents:
        if found.problem:
            notes.append(found.problem)
            continue
        try:
            kinds = list(_kinds(found.value))
        except ReconcilerError as error:
            raise SourceError(f"{found.file}: {error}") from error
        others += not kinds
        for gvk, schema in kinds:
            wrong = _unusable(schema)
            if gvk in schemas:
                notes.append(f"{found.file}: {gvk.kind} ({gvk.api_version}) was described before; the first counts")  # fmt: skip
            elif wrong:
                notes.append(f"{found.file}: {gvk.kind} ({gvk.api_version}) is passed over: {wrong}")  # fmt: skip
            else:
                schemas[gvk] = schema
    if not schemas:
        told = "; ".join(notes[:5]) or "nothing here is OpenAPI (v2 or v3) or a CustomResourceDefinition"  # fmt: skip
        raise SourceError(f"no schema to import: {told}")
    return Imported(_named(schemas), tuple(notes), others)


def _kinds(value: Any) -> Iterator[tuple[GroupVersionKind, dict[str, Any]]]:
    if not isinstance(value, dict):
        return
    if value.get("kind") == custom.KIND:
        for gvk, schema in custom.of_definition(value).items():
            yield gvk, standalone(gvk, schema, {})
    elif openapi.is_openapi(value):
        yield from openapi.schemas_of(value)


def _unusable(schema: dict[str, Any]) -> str:
    """Return why a schema can check nothing; empty where it can."""
    try:
        Validator(schema).is_valid({})
    except ValueError as error:
        return str(error)[:200]
    return ""


def _named(schemas: Schemas) -> dict[str, tuple[GroupVersionKind, str]]:
    files: dict[str, tuple[GroupVersionKind, str]] = {}
    for gvk in sorted(schemas):
        name = file_name(gvk) if file_name(gvk) not in files else long_file_name(gvk)
        if "/" in name or not name.isprintable() or len(name) > 200:
            raise SourceError(f"{gvk.kind!r} ({gvk.api_version!r}) is no name of a kind")
        files[name] = gvk, written({**schemas[gvk], "$id": name})
    return files


def folder(out: Path, version: tuple[int, int] | None) -> Path:
    """Return where schemas of a Kubernetes version lie: as kubeconform looks for strict ones.

    >>> str(folder(Path("schemas"), (1, 29)))
    'schemas/v1.29.0-standalone-strict'
    """
    return out if version is None else out / f"v{version[0]}.{version[1]}.0-standalone-strict"


def write(directory: Path, imported_: Imported) -> None:
    """Write the files, each whole or not at all. Raises ``SourceError`` where that cannot be done."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, (_, text) in imported_.files.items():
            descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            # Schemas are no secrets: other users' editors and checks may read them.
            Path(temporary).chmod(0o644)
            Path(temporary).replace(directory / name)
    except OSError as error:
        raise SourceError(f"{directory}: {error.strerror or error}") from error
