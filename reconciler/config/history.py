"""``history``: how much of its past an Application keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.config.duration import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.loading import Mistake


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Syncs are kept up to ``limit`` and, where ``max_age`` is given, no longer than that."""

    limit: int = 10
    max_age: str = ""

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what a schema cannot say so that one understands it."""
        if self.max_age:
            try:
                seconds_of(self.max_age)
            except ValueError as error:
                yield ("maxAge",), str(error)

    @property
    def max_age_seconds(self) -> float | None:
        """``max_age`` in seconds; None: for ever."""
        return seconds_of(self.max_age) if self.max_age else None
