"""What a validation comes to: the findings that are shown, in their order, and how many there are. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cli.validate.findings import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from reconciler.cli.validate.findings import Findings
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.ignores import Ignored


class Report(NamedTuple):
    """One validation. ``files`` are all that were looked at, in order; ``text`` gives a file's text, for excerpts of it."""

    files: Collection[str]
    documents: int
    findings: Findings
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
            "skipped": self.findings.count(rule="source/kustomization"),
            "ignored": len(self.ignored),
        }

    def count(self, severity: str) -> int:
        return self.findings.count(severity)

    def by_file(self) -> Iterator[tuple[str, list[Finding]]]:
        """Yield files and their findings; behind them those of what could not be read as a file."""
        groups = ((file, list(found)) for file, found in itertools.groupby(self.findings, _file))
        others: list[tuple[str, list[Finding]]] = []
        group = next(groups, None)
        for file in self.files:
            while group is not None and group[0] < file:
                others.append(group)
                group = next(groups, None)
            if group is not None and group[0] == file:
                yield group
                group = next(groups, None)
            else:
                yield file, []
        yield from others
        if group is not None:
            yield group
        yield from groups

    def fails(self, on: str) -> bool:
        """Whether anything is at least as severe as that."""
        return any(self.count(s) for s in SEVERITIES[: SEVERITIES.index(on) + 1])

    def sentence(self) -> str:
        """Return the counts as a user reads them."""
        counts = self.summary
        said = [_counted(counts[w], w) for w in ("files", "documents", "errors", "warnings")]
        ignored = f", {counts['ignored']} ignored" if counts["ignored"] else ""
        return f"{said[0]}, {said[1]}: {said[2]}, {said[3]}{ignored}"


def _file(finding: Finding) -> str:
    return finding.file


def _counted(number: int, words: str) -> str:
    """Write ``1 file``, ``2 files``."""
    return f"{number} {words[:-1] if number == 1 else words}"
