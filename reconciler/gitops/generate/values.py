"""The values of templates: files in order, then ``set``; mappings merge, everything else is replaced."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import schemas
from reconciler.gitops.finding import Finding
from reconciler.gitops.render import reader

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.gitops.source import File

_LARGEST = 5 * 1024 * 1024


class Values(NamedTuple):
    """What templates get. ``files`` are those of the source that hold values, whichever environment's: no manifests."""

    data: Mapping[str, Any] = {}
    files: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()


def values_of(source: Mapping[str, Any], files: Mapping[str, File]) -> Values:
    """Return the values that ``spec.source.templates`` names; what is wrong with them has its file, line and column.

    A relative name is a file of the source, an absolute one a file of this machine.
    """
    templates = source.get("templates") or {}
    merged: dict[str, Any] = {}
    own: set[str] = set()
    findings: list[Finding] = []
    for name in templates.get("values") or ():
        path = posixpath.normpath(str(name))
        text = _text(path, files, findings)
        if path in files:
            own.add(path)
        if text is None:
            continue
        documents, wrong = reader.read(text, path)
        findings += wrong
        for number, document in enumerate(documents):
            if number:
                told = "more than one document: values are one mapping"
                findings.append(Finding("values/type", "error", told, path, document.line, document.column))  # fmt: skip
            elif isinstance(document.value, dict):
                merged = layered(merged, document.value)
            elif document.value is not None and document.readable:
                told = f"expected a mapping at the top, got {schemas.describe(document.value)}"
                findings.append(Finding("values/type", "error", told, path, document.line, document.column))  # fmt: skip
    data = layered(merged, templates.get("set") or {})
    return Values(data, frozenset(own | _siblings(own, files)), tuple(findings))


def _siblings(own: Collection[str], files: Mapping[str, File]) -> set[str]:
    """Return the values of other environments: files beside a values file that say nowhere what kind they are of."""
    folders = {posixpath.dirname(path) for path in own}
    return {
        path
        for path, file in files.items()
        if posixpath.dirname(path) in folders
        and path.endswith((".yaml", ".yml", ".json"))
        and b"kind" not in file.data
        and b"apiVersion" not in file.data
    }


def layered(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others laid over them; mappings merge, everything else is replaced."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = layered(old, value) if both else value  # type: ignore[arg-type]
    return result


def _text(path: str, files: Mapping[str, File], findings: list[Finding]) -> str | None:
    def wrong(rule: str, told: str, line: int = 1) -> None:
        findings.append(Finding(rule, "error", told, path, line))

    if path.startswith("/"):
        try:
            with Path(path).open("rb") as reading:
                data = reading.read(_LARGEST + 1)
        except OSError as error:
            wrong("values/missing", f"the values file {path} cannot be read: {error.strerror}")
            return None
        if len(data) > _LARGEST:
            wrong("values/too-large", f"larger than {_LARGEST // 1024 // 1024} MiB")
            return None
    elif path in files:
        data = files[path].data
    else:
        wrong("values/missing", f"there is no values file {path} in the source")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong("syntax/encoding", f"byte 0x{data[error.start]:02x} is not UTF-8", line)
        return None
