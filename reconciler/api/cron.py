"""Cron schedules: five fields, ``@daily`` and its like, ``@every 90m``, in a time zone. Pure.

Days of month and of week combine as in cron: both must match where one of them begins with a star, else either. Where
clocks are put forward a time that does not exist is run right after the gap; where they are put back, a time that
exists twice is run once.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


class Schedule(NamedTuple):
    """When something is due. ``every`` (seconds) counts from what was last; else ``fields`` in ``zone``."""

    fields: str
    zone: tzinfo
    every: float = 0.0

    def next(self, after: float) -> float | None:
        """Return the first time after one (seconds since the epoch); None if there is never another."""
        if self.every:
            return math.floor(after) + self.every
        return self._step(after, reverse=False)

    def latest(self, since: float, now: float) -> float | None:
        """Return the last time that was due after ``since`` and not after ``now``."""
        if self.every:
            times = math.floor((now - math.floor(since)) / self.every)
            return math.floor(since) + times * self.every if times >= 1 else None
        # The time itself counts as due: look back from the second after it.
        found = self._step(math.floor(now) + 1.0, reverse=True)
        return found if found is not None and found > since else None

    def missed(self, since: float, now: float, most: int) -> int:
        """Count the times due after ``since`` and not after ``now``, up to ``most``."""
        count, at = 0, since
        while count < most:
            following = self.next(at)
            if following is None or following > now:
                break
            count, at = count + 1, following
        return count

    def _step(self, at: float, *, reverse: bool) -> float | None:
        start = datetime.fromtimestamp(at, UTC).astimezone(self.zone)
        try:
            return float(next(CronSim(self.fields, start, reverse)).timestamp())
        except (StopIteration, CronSimError, OverflowError):
            return None


def parse(text: str, time_zone: str | None = None) -> Schedule:
    """Read a schedule; raises ``ValueError`` that says what is wrong with it."""
    text = text.strip()
    zone = zone_of(time_zone)
    if text.upper().startswith(("TZ=", "CRON_TZ=")):
        raise ValueError("cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    if text.startswith("@every "):
        return Schedule("", zone, _duration(text.removeprefix("@every ").strip()))
    if text.startswith("@"):
        if text not in _MACROS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = _MACROS[text]
    parts = text.split()
    if len(parts) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(parts)}: [{text}]")
    fields = " ".join("*" + part[1:] if part.startswith("?") else part for part in parts)
    try:
        CronSim(fields, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{str(error)[:1].lower()}{str(error)[1:]} in [{text}]") from None
    return Schedule(fields, zone)


def zone_of(name: str | None) -> tzinfo:
    """Return a time zone of the tz database; UTC where none is named. Raises ``ValueError``."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name}") from None


def _duration(text: str) -> float:
    found = _PART.findall(text)
    if not found or "".join(n + u for n, u in found) != text:
        raise ValueError(f'failed to parse duration "@every {text}": expected as 90m, 1h30m or 45s')
    return max(1.0, float(math.floor(sum(float(n) * _SECONDS[u] for n, u in found))))
