"""Completion indexes: sets of numbers and their text (``1,3-5,7``), and which index a Pod has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.objects import annotations_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object

#: Annotation and label of a Pod of an Indexed Job.
INDEX = "batch.kubernetes.io/job-completion-index"


def parse(text: str, completions: int) -> set[int]:
    """Read a status' index set; numbers that are out of range, and what is no number, are left out.

    >>> sorted(parse("1,3-5,9", 6))
    [1, 3, 4, 5]
    """
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found.update(range(int(first), min(int(last or first) + 1, completions)))
    return found


def show(indexes: Iterable[int]) -> str:
    """Write an index set as Kubernetes does.

    >>> show([7, 1, 3, 4, 5]), show([1, 2])
    ('1,3-5,7', '1,2')
    """
    spans: list[list[int]] = []
    for index in sorted(indexes):
        if spans and spans[-1][1] == index - 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ",".join(str(a) if a == b else f"{a}{',' if b == a + 1 else '-'}{b}" for a, b in spans)


def index_of(pod: Object) -> int | None:
    """Return a Pod's completion index, or None where it has none that can be read."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdigit() else None
