"""The parts of one Application's loop that each of its steps needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.gitops.engine.alarm import Alarm
    from reconciler.gitops.engine.comparing import Comparer
    from reconciler.gitops.engine.guards import Guards
    from reconciler.gitops.engine.recording import Recording
    from reconciler.gitops.engine.report import Report
    from reconciler.gitops.engine.shared import Shared
    from reconciler.gitops.engine.telling import Teller


class Parts(NamedTuple):
    """Of the Application of that name. ``wake`` asks for another look, ``alarm`` for one at a time."""

    shared: Shared
    name: str
    comparer: Comparer
    guards: Guards
    recording: Recording
    report: Report
    teller: Teller
    alarm: Alarm
    wake: Callable[[], None]
