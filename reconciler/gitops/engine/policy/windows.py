"""Sync windows: times in which syncs are allowed or denied (Argo CD's rules, on one Application).

A window opens whenever its cron ``schedule`` fires in its time zone, and stays open for its duration. An open deny window
forbids; where allow windows are declared, one of them must be open. A window with ``manualSync`` does not bind what a
user asks for by hand.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from reconciler.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence


class Window(NamedTuple):
    """One window. ``zone`` is an IANA time zone."""

    allow: bool
    schedule: str
    seconds: float
    zone: str = "UTC"
    manual: bool = False

    def problem(self) -> str:
        """Return which field cannot be used, and why; empty when all can."""
        try:
            ZoneInfo(self.zone)
        except (KeyError, OSError, ValueError):
            return f"timeZone: {self.zone!r} is not a time zone such as Europe/Berlin"
        try:
            CronSim(self.schedule, datetime(2024, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            return f"schedule: {self.schedule!r} is not a cron expression such as '0 22 * * 1-5' ({error})"
        if self.seconds <= 0:
            return "duration: expected more than nothing, such as 2h"
        return ""

    def __str__(self) -> str:
        kind = "allow" if self.allow else "deny"
        return f"{kind} window '{self.schedule}' ({self.zone})"


class Opening(NamedTuple):
    """Whether syncs are allowed; ``why`` not; and when that may change (seconds since the epoch)."""

    open: bool
    why: str = ""
    until: float | None = None


def opening(windows: Sequence[Window], now: float, *, manual: bool) -> Opening:
    """Return whether a sync is allowed at a time; ``manual``: a user asked for it."""
    if not windows:
        return Opening(open=True)
    states = [(w, *_state(w, now)) for w in windows]
    change = min((at for _, _, at in states if at is not None), default=None)
    binding = [
        (w, is_open, at)
        for w, is_open, at in states
        if is_open != w.allow and not (manual and w.manual)
    ]
    denied = [(w, at) for w, is_open, at in binding if is_open]
    if denied:
        window, at = max(denied, key=lambda d: d[1] or 0.0)
        return Opening(open=False, why=f"the {window} is open{_until(at)}", until=change)
    allows = [(w, is_open, at) for w, is_open, at in states if w.allow]
    closed = [(w, at) for w, is_open, at in binding if w.allow and not is_open]
    if allows and len(closed) == len(allows):
        window, at = min(closed, key=lambda c: c[1] if c[1] is not None else float("inf"))
        return Opening(open=False, why=f"the {window} is closed{_until(at)}", until=change)
    return Opening(open=True, until=change)


def _until(at: float | None) -> str:
    return f" until {rfc3339(at)}" if at is not None else ""


def _state(window: Window, now: float) -> tuple[bool, float | None]:
    """Return whether a window is open, and when it closes or opens next."""
    zone = ZoneInfo(window.zone)
    # CronSim counts whole seconds and begins after the given one.
    last = _fires(window.schedule, datetime.fromtimestamp(int(now) + 1, zone), reverse=True)
    if last is not None and now < last + window.seconds:
        return True, last + window.seconds
    return False, _fires(window.schedule, datetime.fromtimestamp(int(now), zone))


def _fires(schedule: str, at: datetime, *, reverse: bool = False) -> float | None:
    try:
        return next(CronSim(schedule, at, reverse=reverse)).timestamp()
    except StopIteration:
        return None
