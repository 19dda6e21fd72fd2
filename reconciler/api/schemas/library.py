"""Directories of schemas: each file is read and compiled when its kind is first met, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas.standalone import file_name, long_file_name
from reconciler.api.schemas.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A schema's file is not read beyond this size, in bytes; Kubernetes' own largest has 0.1 MB.
LARGEST = 8 * 1024 * 1024


class Library:
    """Schemas from directories, the first that has a kind's file. What was read is kept; files are not looked at again."""

    def __init__(self, *directories: Path) -> None:
        self._directories = directories
        self._schemas: dict[GroupVersionKind, dict[str, Any] | None] = {}
        self._validators: dict[GroupVersionKind, Validator | None] = {}

    def load(self, gvk: GroupVersionKind) -> dict[str, Any] | None:
        """Return a kind's schema, or None where there is none. Shared: never change it.

        A file that is no schema of the kind counts as absent.
        """
        if gvk not in self._schemas:
            self._schemas[gvk] = self._read(gvk)
        return self._schemas[gvk]

    def validator(self, gvk: GroupVersionKind) -> Validator | None:
        """Return what checks objects of a kind; None for a kind without a schema."""
        if gvk not in self._validators:
            schema = self.load(gvk)
            self._validators[gvk] = None if schema is None else Validator(schema)
        return self._validators[gvk]

    def kinds(self) -> Iterator[tuple[GroupVersionKind, Path]]:
        """Yield every kind that a file stands for, sorted by file; reads all of them."""
        told: set[GroupVersionKind] = set()
        for directory in self._directories:
            for path in sorted(directory.glob("*.json")):
                gvk = _kind_of(_parsed(path))
                if gvk is not None and gvk not in told:
                    told.add(gvk)
                    yield gvk, path

    def _read(self, gvk: GroupVersionKind) -> dict[str, Any] | None:
        for name in (file_name(gvk), long_file_name(gvk)):
            # A manifest's words: a name that no file here has, and that may be none at all.
            if not (name.isascii() and name.isprintable() and len(name) < 200) or "/" in name:
                continue
            for directory in self._directories:
                schema = _parsed(directory / name)
                if schema is not None and _kind_of(schema) == gvk:
                    return schema
        return None


def _parsed(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        found = json.loads(text) if len(text) <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _kind_of(schema: dict[str, Any] | None) -> GroupVersionKind | None:
    properties = (schema or {}).get("properties")
    if not isinstance(properties, dict):
        return None
    version, kind = ((properties.get(f) or {}).get("const") for f in ("apiVersion", "kind"))
    if not (isinstance(version, str) and isinstance(kind, str)):
        return None
    return GroupVersionKind.parse(version, kind)
