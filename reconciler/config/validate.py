"""``validate``: which rules count, and against what manifests are checked, by ``reconciler validate`` and by every sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class Validate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """``rules`` are severities by id or ``group/*``; YAML reads an ``off`` without quotes as false."""

    rules: dict[str, str | bool] = {}
    kubernetes_version: str = ""
    schema_locations: tuple[str, ...] = ()
    ignore_missing_schemas: bool = False
    require_schemas: bool = False
    skip: tuple[str, ...] = ()
    reject: tuple[str, ...] = ()

    def asked(self) -> dict[str, Any]:
        """Return what is asked for, by field."""
        said = msgspec.structs.asdict(self)
        said["rules"] = {
            r: level if isinstance(level, str) else "off" for r, level in self.rules.items()
        }
        return said

    def below(self, base: Path) -> Validate:
        """Return this with the places of schemas relative to a directory."""
        places = (
            t if t == "default" or t.startswith(("http://", "https://", "~")) else str(base / t)
            for t in self.schema_locations
        )
        return msgspec.structs.replace(self, schema_locations=tuple(places))
