"""Figures as parts count them, read back through Prometheus' own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from reconciler.telemetry.exposition import Exposition
from reconciler.telemetry.measures import (
    MOST_SERIES,
    OTHER,
    Counter,
    Distribution,
    Histogram,
    gauge,
)

if TYPE_CHECKING:
    from reconciler.telemetry.measures import Family


def scraped(*families: Family) -> dict[tuple[str, tuple[str, ...]], float]:
    text, content_type = Exposition(lambda: families).text("text/plain")
    assert content_type.startswith("text/plain")
    return {
        (s.name, tuple(value for _, value in sorted(s.labels.items()))): s.value
        for m in text_string_to_metric_families(text.decode())
        for s in m.samples
    }


def test_a_counter_starts_at_nothing_and_grows() -> None:
    plain, labelled = Counter("a", "Help."), Counter("b", "Help.", "code", "host")
    assert scraped(plain.family())["a_total", ()] == 0
    labelled.add("200", "x")
    labelled.add("200", "x", by=2)
    labelled.add("404", 'a"b\\c\n')
    found = scraped(labelled.family())
    assert found["b_total", ("200", "x")] == 3
    assert found["b_total", ("404", 'a"b\\c\n')] == 1


def test_a_client_cannot_fill_the_memory_with_labels() -> None:
    counter = Counter("a", "Help.", "host", "code")
    for number in range(3 * MOST_SERIES):
        counter.add(str(number), "200")
    values = dict(counter.family().values)
    assert len(values) == MOST_SERIES + 1
    assert values[OTHER, OTHER] == 2 * MOST_SERIES
    many = [((str(n),), 1.0) for n in range(2 * MOST_SERIES)]
    assert len(gauge("g", "Help.", ("n",), many).values) == MOST_SERIES


@given(st.lists(st.floats(0, 20)))
def test_a_histogram_counts_every_value_once(values: list[float]) -> None:
    histogram = Histogram("h", "Help.", bounds=(0.1, 1.0, 10.0))
    for value in values:
        histogram.observe(value)
    for _, seen in histogram.family().values:
        assert isinstance(seen, Distribution)
        assert seen.observed == len(values)
        assert seen.total == pytest.approx(sum(values))
        for bound, count in zip((0.1, 1.0, 10.0), seen.cumulative, strict=True):
            assert count == sum(v <= bound for v in values)


def test_a_histogram_is_what_prometheus_reads() -> None:
    histogram = Histogram("h", "Help.", "who", bounds=(0.1, 1.0))
    histogram.observe(0.1, "a")
    histogram.observe(5.0, "a")
    found = scraped(histogram.family())
    assert found["h_bucket", ("0.1", "a")] == 1
    assert found["h_bucket", ("1.0", "a")] == 1
    assert found["h_bucket", ("+Inf", "a")] == found["h_count", ("a",)] == 2
    assert found["h_sum", ("a",)] == pytest.approx(5.1)


def test_the_process_tells_of_itself_and_openmetrics_is_spoken() -> None:
    exposition = Exposition(list)
    assert b"process_resident_memory_bytes" in exposition.text("")[0]
    text, content_type = exposition.text("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
