"""One thing that is wrong with an object, worded as a kube-apiserver words it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """``path`` leads to the culprit; ``reason`` is that of a Status cause."""

    path: Path
    reason: str
    message: str

    @property
    def field(self) -> str:
        """The path as Kubernetes prints it: ``spec.containers[0].name``."""
        return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path).lstrip(".")


def invalid(path: Path, value: Any, why: str) -> Problem:
    return Problem(path, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {why}")


def required(path: Path, why: str = "") -> Problem:
    return Problem(path, "FieldValueRequired", f"Required value{': ' + why if why else ''}")


def duplicate(path: Path, value: Any) -> Problem:
    return Problem(path, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}")


def not_found(path: Path, value: Any) -> Problem:
    return Problem(path, "FieldValueNotFound", f"Not found: {_shown(value)}")


def forbidden(path: Path, why: str) -> Problem:
    return Problem(path, "FieldValueForbidden", f"Forbidden: {why}")


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)
