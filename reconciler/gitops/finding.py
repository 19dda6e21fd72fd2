"""What is wrong with a manifest, and where. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

#: So many are told of one document.
MOST_FINDINGS = 200

#: The page that explains every rule, one heading a rule.
DOCS = "https://github.com/reconciler/reconciler/blob/main/docs/validation-rules.md"


class ObjectName(NamedTuple):
    """The object that a finding is about, as its manifest names it."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""


class Finding(NamedTuple):
    """One finding. ``severity``: error, warning or info. Lines and columns count from 1; ``path`` is a JSON pointer.

    ``end_line`` and ``end_column`` are just behind the culprit (0: not known). For a template the place is the
    template's; ``rendered_line`` and ``rendered_column`` are those of what it renders to (0: no template).
    """

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
    expected: str = ""
    got: str = ""
    end_line: int = 0
    end_column: int = 0
    rendered_line: int = 0
    rendered_column: int = 0

    @property
    def docs(self) -> str:
        """Where the rule is explained."""
        return docs_of(self.rule)

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
        if self.end_line:
            found["endLine"], found["endColumn"] = self.end_line, self.end_column
        if self.rendered_line:
            found["rendered"] = {"line": self.rendered_line, "column": self.rendered_column}
        for key in ("expected", "got", "hint"):
            if value := getattr(self, key):
                found[key] = value
        found["docs"] = self.docs
        return found

    def text(self) -> str:
        """Return the line that a user reads."""
        said = f"{self.message} ({self.hint})" if self.hint else self.message
        return printable(
            f"{self.file}:{self.line}:{self.column}: {self.severity}: {said} [{self.rule}]"
        )


def docs_of(rule: str) -> str:
    """Return where a rule is explained."""
    return f"{DOCS}#{rule.replace('/', '')}"


def printable(text: str) -> str:
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
