"""What came of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.gitops.plan import Change


class Result(NamedTuple):
    """What came of one change. ``error`` is empty when it went well; ``seconds`` is how long it took."""

    change: Change
    object: Object | None = None
    error: str = ""
    started: bool = True  # False: what it comes after is not ready, and ``error`` names that
    seconds: float = 0.0
    passing: bool = False  # it may pass by itself: the API is not to be had, its disk is full


class Applied(NamedTuple):
    """What came of all. ``interrupted``: somebody had no more use for it before its end."""

    results: list[Result]
    interrupted: bool = False
