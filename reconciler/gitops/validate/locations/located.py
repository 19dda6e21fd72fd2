"""The schemas of several locations, the first that has one wins. What lies there is a stranger's: it names no other file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.api.schemas import Validator
from reconciler.api.schemas.formats import FORMATS
from reconciler.errors import ConfigError
from reconciler.gitops.validate.locations.template import is_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.api.objects import GroupVersionKind
    from reconciler.gitops.validate.checks import Schemas
    from reconciler.gitops.validate.locations.template import Place


#: A schema of more bytes is none; a directory of more files is not looked through for changes.
LARGEST = 16 * 1024 * 1024
MOST_FILES = 20_000

#: Below these words stand values, not schemas.
_VALUES = ("enum", "const", "default", "example", "examples")
_BOUNDS = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))


class Located:
    """Schemas by location; ``packaged`` stands where ``default`` was given."""

    def __init__(
        self,
        places: Sequence[Place | Schemas],
        kubernetes: str,
        fetch: Callable[[str], bytes | None],
        stamp: str = "",
    ) -> None:
        """``kubernetes`` as given; ``stamp`` says in which state what ``fetch`` keeps is."""
        self._places = places
        self._kubernetes = kubernetes
        self._fetch = fetch
        self._known: dict[GroupVersionKind, Validator | None] = {}
        roots = [p.root for p in places if isinstance(p, tuple) and not is_remote(p.text)]
        stamps = [_stamps(root) for root in roots]
        self.stable = None not in stamps
        texts = [p.text if isinstance(p, tuple) else p.key() for p in places]
        self._key = repr((texts, kubernetes, stamps, stamp))

    def validator(self, gvk: GroupVersionKind) -> Validator | None:
        """Return what checks objects of a kind. Raises ``ConfigError`` where its schema cannot be used."""
        if gvk not in self._known:
            self._known[gvk] = self._find(gvk)
        return self._known[gvk]

    def key(self) -> str:
        return self._key

    def _find(self, gvk: GroupVersionKind) -> Validator | None:
        for place in self._places:
            if not isinstance(place, tuple):
                found = place.validator(gvk)
                if found is not None:
                    return found
                continue
            for name in place.names(gvk, self._kubernetes):
                data = self._fetch(name)
                if data is not None:
                    return _usable(name, data)
        return None


def read_file(name: str) -> bytes | None:
    """Return what a file holds; None where there is none. Raises ``ConfigError``."""
    path = Path(name).expanduser()
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"{name} is larger than {LARGEST >> 20} MiB: that is no schema")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror}") from error


def missing_of(place: Place) -> str:
    """Return the file or directory that a location of this machine needs, where it is not there."""
    alone = "{{" not in place.text and place.text.endswith(".json")
    needed = Path(place.text if alone else place.root).expanduser()
    there = needed.is_file() if alone else needed.is_dir()
    return "" if there else f"{'file' if alone else 'directory'} {needed}"


def _usable(name: str, data: bytes) -> Validator:
    try:
        schema = json.loads(data)
        if not isinstance(schema, dict):
            raise ConfigError(f"{name} cannot be used as a schema: expected an object")
        validator = Validator(_plain(schema, name))
        validator.is_valid({})
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} cannot be used as a schema: {str(error)[:200]}") from error
    return validator


def _plain(schema: Any, name: str) -> Any:
    """Return a schema that names no other and asserts no format that Kubernetes does not: ``1h`` is a duration there."""
    if isinstance(schema, list):
        return [_plain(one, name) for one in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        raise ConfigError(
            f"{name} cannot be used as a schema: it refers to {reference[:100]}; take one that stands alone"
        )
    out = {
        word: value if word in _VALUES and not isinstance(value, dict) else _plain(value, name)
        for word, value in schema.items()
        if not (word in ("$schema", "$id", "id") and isinstance(value, str))
        and not (word == "format" and isinstance(value, str) and value not in FORMATS)
    }
    for bound, word in _BOUNDS:
        # Drafts up to 4 and OpenAPI 3.0 say true and mean the other bound.
        if isinstance(out.get(bound), bool) and out.pop(bound) and word in out:
            out[bound] = out.pop(word)
    return out


def _stamps(root: str) -> tuple[str, ...] | None:
    """Return names, sizes and times of the schemas below a directory; None where they are too many to look at."""
    found: list[str] = []
    folders = [str(Path(root).expanduser())]
    while folders:
        try:
            with os.scandir(folders.pop()) as listing:
                for entry in listing:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.name.endswith(".json"):
                        info = entry.stat()
                        found.append(f"{entry.path} {info.st_size} {info.st_mtime_ns}")
        except OSError:
            continue
        if len(found) + len(folders) > MOST_FILES:
            return None
    return tuple(sorted(found))
