"""Figures that a part counts and somebody else shows: plain objects, without a library and without I/O. Pure.

A part owns its counters and hands out ``Family`` values when it is asked (``Measured``); ``exposition`` makes text of
them. Counting costs a dictionary access. Labels have few values: what would go beyond ``MOST_SERIES`` of one family is
counted under ``OTHER``, so that no client and no manifest can fill the memory.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Series of one family, and what counts the rest.
MOST_SERIES = 500
OTHER = "other"

#: Upper bounds in seconds, for what takes from a millisecond to minutes.
SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

Labels = tuple[str, ...]


class Distribution(NamedTuple):
    """What a histogram has seen: how many up to each bound (cumulative), all of them, and their sum."""

    cumulative: tuple[int, ...]
    observed: int
    total: float


class Family(NamedTuple):
    """One metric: its Prometheus name (a counter's without ``_total``), and a value for each set of labels.

    ``kind`` is counter, gauge or histogram; a histogram's values are ``Distribution`` over ``bounds``.
    """

    name: str
    kind: str
    help: str
    labels: Labels
    values: Sequence[tuple[Labels, float | Distribution]]
    bounds: tuple[float, ...] = ()


class Measured(Protocol):
    """A part that can be asked for its figures."""

    def measures(self) -> Iterable[Family]:
        """Return the figures as they are now; cheap, and without waiting."""
        ...


class Counter:
    """Counts by labels; only grows."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self._name, self._help, self._labels = name, text, labels
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count; ``labels`` are the values of the counter's labels, in their order."""
        labels = _bounded(self._values, labels)
        self._values[labels] = self._values.get(labels, 0.0) + by

    def family(self) -> Family:
        return Family(self._name, "counter", self._help, self._labels, list(self._values.items()))


class Histogram:
    """How values spread over bounds, by labels."""

    def __init__(self, name: str, text: str, *labels: str, bounds: tuple[float, ...]) -> None:
        self._name, self._help, self._labels, self._bounds = name, text, labels, bounds
        self._buckets: dict[Labels, list[int]] = {}
        self._totals: dict[Labels, float] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Take a value in."""
        labels = _bounded(self._buckets, labels)
        buckets = self._buckets.get(labels)
        if buckets is None:
            buckets = self._buckets[labels] = [0] * (len(self._bounds) + 1)
        buckets[bisect_left(self._bounds, value)] += 1
        self._totals[labels] = self._totals.get(labels, 0.0) + value

    def family(self) -> Family:
        values = [(k, _distribution(b, self._totals[k])) for k, b in self._buckets.items()]
        return Family(self._name, "histogram", self._help, self._labels, values, self._bounds)


def gauge(name: str, text: str, labels: Labels, values: Iterable[tuple[Labels, float]]) -> Family:
    """Return a family of values that go up and down, worked out now; no more than ``MOST_SERIES`` of them."""
    return Family(name, "gauge", text, labels, list(values)[:MOST_SERIES])


def _bounded(
    known: dict[Labels, object] | dict[Labels, float] | dict[Labels, list[int]], labels: Labels
) -> Labels:
    if labels in known or len(known) < MOST_SERIES:
        return labels
    return (OTHER,) * len(labels)


def _distribution(buckets: list[int], total: float) -> Distribution:
    cumulative, seen = [], 0
    for count in buckets:
        seen += count
        cumulative.append(seen)
    return Distribution(tuple(cumulative[:-1]), seen, total)
