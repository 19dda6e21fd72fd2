"""Sync windows: cron, time zones, allow and deny."""

from __future__ import annotations

import pytest

from reconciler.clock import parse_rfc3339
from reconciler.gitops.engine.policy.windows import Window, opening

NIGHT = Window(True, "0 22 * * *", 4 * 3600.0, "Europe/Berlin")
WEEKEND = Window(False, "0 0 * * 6", 48 * 3600.0)


@pytest.mark.parametrize(
    ("windows", "at", "is_open", "until"),
    [
        ((), "2026-01-15T12:00:00Z", True, None),
        # 22:00 in Berlin is 21:00 UTC in winter and 20:00 in summer.
        ((NIGHT,), "2026-01-15T20:59:59Z", False, "2026-01-15T21:00:00Z"),
        ((NIGHT,), "2026-01-15T21:00:00Z", True, "2026-01-16T01:00:00Z"),
        ((NIGHT,), "2026-01-16T00:59:59Z", True, "2026-01-16T01:00:00Z"),
        ((NIGHT,), "2026-01-16T01:00:00Z", False, "2026-01-16T21:00:00Z"),
        ((NIGHT,), "2026-07-15T20:00:00Z", True, "2026-07-16T00:00:00Z"),
        ((WEEKEND,), "2026-03-06T23:59:59Z", True, "2026-03-07T00:00:00Z"),
        ((WEEKEND,), "2026-03-07T00:00:00Z", False, "2026-03-09T00:00:00Z"),
        ((WEEKEND,), "2026-03-09T00:00:00Z", True, "2026-03-14T00:00:00Z"),
        # A deny window wins over an allow window that is open.
        ((NIGHT, WEEKEND), "2026-03-07T21:30:00Z", False, None),
        # One of several allow windows is enough.
        ((NIGHT, Window(True, "0 12 * * *", 3600.0)), "2026-03-02T12:30:00Z", True, None),
    ],
)  # fmt: skip
def test_openings(windows: tuple[Window, ...], at: str, is_open: bool, until: str | None) -> None:
    found = opening(windows, parse_rfc3339(at), manual=False)
    assert found.open is is_open, found
    if until is not None:
        assert found.until == parse_rfc3339(until)


@pytest.mark.parametrize(
    ("window", "field"),
    [
        (Window(True, "0 25 * * *", 60.0), "schedule"),
        (Window(True, "every monday", 60.0), "schedule"),
        (Window(True, "0 1 * * *", 60.0, "Mars/Olympus"), "timeZone"),
        (Window(True, "0 1 * * *", 60.0, "../../etc/passwd"), "timeZone"),
        (Window(True, "0 1 * * *", 0.0), "duration"),
        (Window(True, "0 1 * * *", 60.0, "Europe/Berlin"), ""),
    ],
)
def test_a_window_that_cannot_be_used_names_its_field(window: Window, field: str) -> None:
    assert window.problem().partition(":")[0] == field
