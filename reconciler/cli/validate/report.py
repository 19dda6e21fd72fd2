"""What a validation comes to: the findings that are shown, in their order, and how many there are. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.ignores import Ignored

SEVERITIES = ("error", "warning", "info")


class Report(NamedTuple):
    """One validation. ``files`` are all that were looked at; ``text`` gives a file's text, for excerpts of it."""

    files: tuple[str, ...]
    documents: int
    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...]
    text: Callable[[str], str]

    @property
    def summary(self) -> dict[str, int]:
        """The counts that every format tells."""
        return {
            "files": len(self.files),
            "documents": self.documents,
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "skipped": sum(f.rule == "source/kustomization" for f in self.findings),
            "ignored": len(self.ignored),
        }

    def count(self, severity: str) -> int:
        return sum(f.severity == severity for f in self.findings)

    def by_file(self) -> dict[str, list[Finding]]:
        """Return findings by file; files without any have an empty list."""
        found: dict[str, list[Finding]] = {file: [] for file in self.files}
        for finding in self.findings:
            found.setdefault(finding.file, []).append(finding)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the form of ``--format json``."""
        return {"summary": self.summary, "findings": [f.to_json() for f in self.findings]}

    def fails(self, on: str) -> bool:
        """Whether anything is at least as severe as that."""
        return any(self.count(s) for s in SEVERITIES[: SEVERITIES.index(on) + 1])

    def sentence(self) -> str:
        """Return the counts as a user reads them."""
        counts = self.summary
        said = [_counted(counts[w], w) for w in ("files", "documents", "errors", "warnings")]
        ignored = f", {counts['ignored']} ignored" if counts["ignored"] else ""
        return f"{said[0]}, {said[1]}: {said[2]}, {said[3]}{ignored}"


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the one order that every format keeps, each once."""
    unique: Sequence[Finding] = list(dict.fromkeys(findings))
    return sorted(
        unique, key=lambda f: (f.file, f.line, f.column, SEVERITIES.index(f.severity), f.rule, f.message)
    )  # fmt: skip


def _counted(number: int, words: str) -> str:
    """Write ``1 file``, ``2 files``."""
    return f"{number} {words[:-1] if number == 1 else words}"
