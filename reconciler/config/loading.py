"""From the file to a ``Config``: read, check against the schema, check what a schema cannot see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.api import schemas
from reconciler.config.config import Config
from reconciler.config.document import read
from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where in the file, and what is wrong there.
Mistake = tuple[tuple[str | int, ...], str]

SCHEMA = "reconciler.json"


def load(path: Path) -> Config:
    """Read a configuration file. Paths in it are relative to its directory.

    Raises ``ConfigError`` that names every mistake: file:line:column, what was expected, the nearest valid name.
    """
    document = read(path)
    found = [(e.path, _said(e)) for e in schemas.violations(_schema(), document.data)]
    config = Config()
    if not found:
        try:
            config = msgspec.convert(document.data, Config)
        except msgspec.ValidationError as error:  # the schema is stricter: then the two differ
            raise ConfigError(f"{path}: {error}") from error
        found = list(_mistakes(config))
    if found:
        raise ConfigError("; ".join(f"{document.where(at)}: {why}" for at, why in found))
    base = path.absolute().parent
    return msgspec.structs.replace(
        config,
        applications=tuple(str(base / Path(a).expanduser()) for a in config.applications),
        webhook=config.webhook.below(base),
        validate=config.validate.below(base),
        notifications=tuple(n.below(base) for n in config.notifications),
    )


def _said(error: schemas.SchemaError) -> str:
    # A number is shown as it was read: 1.3 of 1.30, which is another version.
    hint = "quote it as it is written" if error.hint.startswith("quote it: ") else error.hint
    return error.message if not hint or hint in error.message else f"{error.message}; {hint}"


def _mistakes(config: Config) -> Iterator[Mistake]:
    for section in config.__struct_fields__:
        value = getattr(config, section)
        listed = value if isinstance(value, tuple) else ()
        parts = [((section,), value), *(((section, n), one) for n, one in enumerate(listed))]
        for where, part in parts:
            if hasattr(part, "mistakes"):
                for at, why in part.mistakes():
                    yield (*where, *at), why


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((schemas.directory() / SCHEMA).read_bytes())
    return schema
