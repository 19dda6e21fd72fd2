"""What a check of a set comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reconciler.cli.validate.findings import Findings
    from reconciler.cli.validate.known import KnownSet


class Checked(NamedTuple):
    """What was found. ``judged`` are the documents; None where the whole is known from an earlier run.

    ``commented`` are the names of the files that hold a comment for us.
    """

    documents: int
    findings: Findings
    commented: frozenset[str] = frozenset()
    judged: KnownSet | None = None
