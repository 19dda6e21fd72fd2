"""The resources of containers: given when they start, told while they run, taken back when they have ended."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

from . import cgroups, limits

if TYPE_CHECKING:
    from pathlib import Path

    from .processes import Processes
    from .state import Record
    from .verbs import Loop

#: Groups that could not be removed yet are tried again after this, in seconds.
_AGAIN = 1.0
_TRIES = 30


def name_of(root: Path) -> str:
    """Return the name that a state directory's groups lie below, in every hierarchy."""
    return f"reconciler-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"


class Resources:
    """Of one state directory's containers."""

    def __init__(self, root: Path, loop: Loop) -> None:
        self._loop = loop
        self._hierarchy = cgroups.Hierarchy(name_of(root))

    def told(self) -> dict[str, bool]:
        """Return what can be enforced here. Without groups memory is limited for each process by itself."""
        return {c: self._hierarchy.enforces(c) for c in ("cpu", "memory", "pids")}

    def give(self, record: Record) -> None:
        """Make a container's groups; what has none for memory gets a limit of each process's data. Raises ``OSError``."""
        asked: dict[str, Any] = record["config"].get("resources") or {}
        known = {k: int(v) for k, v in asked.items() if k in limits.Limits._fields}
        record["cgroups"] = self._hierarchy.make(record["id"], limits.Limits(**known))
        if known.get("memory_limit") and not self._hierarchy.enforces("memory"):
            record["config"]["data_limit"] = known["memory_limit"]

    def usage(self, record: Record, processes: Processes) -> dict[str, int] | None:
        """Return the ``cpu`` nanoseconds and ``memory`` bytes (working set) of a running container."""
        found = cgroups.usage(record.get("cgroups") or {}) or processes.usage(record)
        return None if found is None else {"cpu": found[0], "memory": found[1]}

    @staticmethod
    def was_oom_killed(record: Record) -> bool:
        """Tell whether a container's end may have been for its memory."""
        try:
            return cgroups.was_oom_killed(record.get("cgroups") or {})
        except OSError:
            return False

    def take_back(self, record: Record, tries: int = _TRIES) -> None:
        """Remove the groups of a container that has ended, as soon as they are empty."""
        groups: cgroups.Groups = record.get("cgroups") or {}
        if not cgroups.remove(groups) and tries:
            self._loop.later(_AGAIN, lambda: self.take_back(record, tries - 1))

    def end(self) -> None:
        self._hierarchy.end()
