"""What is wrong with a manifest, and where. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple


class ObjectName(NamedTuple):
    """The object that a finding is about, as its manifest names it."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""


class Finding(NamedTuple):
    """One finding. ``severity``: error, warning or info. Lines and columns count from 1; ``path`` is a JSON pointer."""

    rule: str
    severity: str
    message: str
    file: str
    line: int = 1
    column: int = 1
    document: int = 0
    item: int | None = None
    object: ObjectName = ObjectName()
    path: str = ""
    hint: str = ""  # what to do, where the message does not say it

    def to_json(self) -> dict[str, Any]:
        """Return the form of ``validate --format json``."""
        found: dict[str, Any] = {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "document": self.document,
            "object": {
                "apiVersion": self.object.api_version,
                "kind": self.object.kind,
                "namespace": self.object.namespace,
                "name": self.object.name,
            },
            "path": self.path,
        }
        if self.item is not None:
            found["item"] = self.item
        if self.hint:
            found["hint"] = self.hint
        return found

    def text(self) -> str:
        """Return the line that a user reads."""
        said = f"{self.message} ({self.hint})" if self.hint else self.message
        return _printable(
            f"{self.file}:{self.line}:{self.column}: {self.severity}: {said} [{self.rule}]"
        )


def _printable(text: str) -> str:
    """Return a text that cannot steer a terminal, nor break its encoding: a manifest's words are a stranger's."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )


def pointer(path: tuple[str | int, ...]) -> str:
    """Write a path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in path)
