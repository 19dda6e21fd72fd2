"""What a verb of the CRI is here: a request, a reply, a failure, and the loop that calls back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from .timers import Timer

#: A request's arguments.
Request = dict[str, Any]

#: Takes a result, and file descriptors that it closes once they are sent; its ``fail`` takes a ``Failure``.
Reply = Any


class Failure(Exception):
    """What the daemon shall hear as a RuntimeFailure."""

    def __init__(self, message: str, reason: str = "RuntimeFailure") -> None:
        super().__init__(message)
        self.reason = reason


class Loop(Protocol):
    """What waits for descriptors and times; ``tell`` reaches every connected daemon."""

    def watch(self, fd: int, callback: Callable[[], object]) -> None: ...
    def unwatch(self, fd: int) -> None: ...
    def later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...
    def cancel(self, timer: Timer) -> None: ...
    def tell(self, message: dict[str, Any]) -> None: ...
