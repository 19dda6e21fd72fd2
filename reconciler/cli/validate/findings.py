"""Findings in the one order that every format keeps, each once: sorted and kept in packed pieces, however many there are."""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from reconciler.cli.validate.cache import dumps, loads
from reconciler.gitops.finding import Finding, ObjectName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SEVERITIES = ("error", "warning", "info")

#: So many findings are sorted at a time, and so many lie in a piece.
_SORTED = 1024
_PIECE = 64

#: What a finding is sorted by, and the finding as plain tuples.
_Keyed = tuple[tuple[Any, ...], tuple[Any, ...]]


class Findings:
    """Findings in order, to be gone through as often as one likes."""

    __slots__ = ("_counts", "_pieces")

    def __init__(self, pieces: tuple[bytes, ...], counts: Mapping[tuple[str, str], int]) -> None:
        self._pieces = pieces
        self._counts = dict(counts)  # by rule and severity

    def __len__(self) -> int:
        return sum(self._counts.values())

    def __iter__(self) -> Iterator[Finding]:
        for piece in self._pieces:
            yield from map(expanded, loads(zlib.decompress(piece)))

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Findings) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    @property
    def rules(self) -> set[str]:
        """The rules that are told of."""
        return {rule for rule, _ in self._counts}

    def count(self, severity: str = "", rule: str = "") -> int:
        """Return how many there are of a severity, of a rule, or of both."""
        return sum(
            number
            for (about, level), number in self._counts.items()
            if severity in ("", level) and rule in ("", about)
        )

    def to_plain(self) -> tuple[Any, ...]:
        """Return them as data that can be kept."""
        return self._pieces, self._counts

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> Findings:
        return cls(*plain)


def ordered(findings: Iterable[Finding]) -> Findings:
    """Return findings in order, each once; of those that do not fit into memory at once no more than some lie there."""
    runs: list[_Run] = []
    keyed = (_keyed(finding, number) for number, finding in enumerate(findings))
    while some := sorted(itertools.islice(keyed, _SORTED)):
        run = next((run for run in runs if run.last <= some[0][0]), None)
        if run is None:
            runs.append(run := _Run())
        run.extend(some)
    counts: Counter[tuple[str, str]] = Counter()
    pieces: list[bytes] = []
    merged = _unique(heapq.merge(*runs))
    while piece := list(itertools.islice(merged, _PIECE)):
        counts.update((plain[0], plain[1]) for plain in piece)
        pieces.append(_packed(piece))
    return Findings(tuple(pieces), counts)


class _Run:
    """Findings in order, packed."""

    def __init__(self) -> None:
        self.last: tuple[Any, ...] = ()
        self._pieces: list[bytes] = []

    def extend(self, findings: list[_Keyed]) -> None:
        self.last = findings[-1][0]
        for start in range(0, len(findings), _PIECE):
            self._pieces.append(_packed(findings[start : start + _PIECE]))

    def __iter__(self) -> Iterator[_Keyed]:
        for piece in self._pieces:
            yield from loads(zlib.decompress(piece))


def _keyed(finding: Finding, number: int) -> _Keyed:
    """``number`` is that of coming: what is equal in order stays in it, and findings themselves are never compared."""
    rule, severity, message, file, line, column = finding[:6]
    level = SEVERITIES.index(severity)
    return (file, line, column, level, rule, message, number), flat(finding)


def _unique(findings: Iterable[_Keyed]) -> Iterator[tuple[Any, ...]]:
    """Yield findings, of equal ones the first: they lie among those that are equal in order."""
    for _, group in itertools.groupby(findings, key=lambda keyed: keyed[0][:-1]):
        yield from dict.fromkeys(plain for _, plain in group)


def flat(finding: Finding) -> tuple[Any, ...]:
    """Return a finding as plain tuples."""
    return (*finding[:8], tuple(finding.object), *finding[9:])


def expanded(plain: tuple[Any, ...]) -> Finding:
    """Return the finding that was made plain."""
    return Finding._make((*plain[:8], ObjectName._make(plain[8]), *plain[9:]))


def _packed(value: Any) -> bytes:
    return zlib.compress(dumps(value), 1)
