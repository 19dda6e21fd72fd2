"""Schedules: what they mean, also where clocks are changed, and what is wrong with the others."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api.cron import Schedule, parse
from reconciler.clock import parse_rfc3339, rfc3339


def _times(schedule: Schedule, start: str, count: int) -> list[str]:
    found, at = [], parse_rfc3339(start)
    for _ in range(count):
        following = schedule.next(at)
        assert following is not None
        at = following
        found.append(rfc3339(at))
    return found


@pytest.mark.parametrize(
    ("text", "zone", "start", "expected"),
    [
        ("30 4 * * *", None, "2026-01-01T00:00:00Z", ["2026-01-01T04:30:00Z", "2026-01-02T04:30:00Z"]),
        ("@hourly", None, "2026-01-01T00:00:00Z", ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]),
        ("0 0 ? * MON", None, "2026-01-01T00:00:00Z", ["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"]),
        ("0 0 13 * 5", None, "2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"]),
        ("@every 90m", None, "2026-01-01T00:00:00Z", ["2026-01-01T01:30:00Z", "2026-01-01T03:00:00Z"]),
        # 02:30 does not exist on 29 March, and exists twice on 25 October.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ],
)  # fmt: skip
def test_times(text: str, zone: str | None, start: str, expected: list[str]) -> None:
    assert _times(parse(text, zone), start, len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "zone", "problem"),
    [
        ("* * * *", None, "expected exactly 5 fields, found 4"),
        ("61 * * * *", None, "bad minute"),
        ("@often", None, "unrecognized descriptor: @often"),
        ("@every soon", None, "failed to parse duration"),
        ("TZ=UTC * * * * *", None, "cannot use TZ or CRON_TZ in schedule"),
        ("* * * * *", "Mars/Base", "unknown time zone Mars/Base"),
        ("* * * * *", "../../etc/passwd", "unknown time zone"),
    ],
)
def test_problems(text: str, zone: str | None, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("[", r"\[")):
        parse(text, zone)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["* * * * *", "*/7 * * * *", "5 */3 * * *", "0 2 1 * 1", "@every 11m", "@weekly"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    st.integers(1_760_000_000, 1_800_000_000),
    st.integers(0, 3 * 86_400),
)  # fmt: skip
def test_the_latest_time_is_the_last_of_the_following_ones(
    text: str, zone: str, since: int, span: int
) -> None:
    schedule, now = parse(text, zone), since + span
    following, last = schedule.next(since), None
    while following is not None and following <= now:
        last, following = following, schedule.next(following)
    assert schedule.latest(since, now) == last
