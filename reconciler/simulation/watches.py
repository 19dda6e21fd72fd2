"""A registry whose watches go wrong: they end, begin too late, or stand still."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.errors import Gone
from reconciler.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from reconciler.api.client import WatchEvent
    from reconciler.api.kinds import Kind

#: Whose watches stand still.
_STALE: tuple[Callable[[Kind], bool], ...] = (
    lambda _: True,
    lambda kind: kind is kinds.POD,
    lambda kind: kind is not kinds.POD,
)


class LossyRegistry(Registry):
    """A registry whose watches lose what they had not delivered, are refused, or deliver late."""

    _drops = 0
    _refusals = 0
    _stale_until = -1.0
    _which = 0

    def drop(self) -> None:
        """End every watch; what it had not delivered is lost (410)."""
        self._drops += 1

    def compact(self, watches: int) -> None:
        """End every watch, and let the next ones begin where nothing is kept any more (410)."""
        self._drops += 1
        self._refusals += watches

    def stand_still(self, seconds: float, which: int) -> None:
        """Let watches deliver nothing for a while, and then all."""
        self._stale_until = asyncio.get_running_loop().time() + seconds
        self._which = which % len(_STALE)

    @property
    def is_stale(self) -> bool:
        """Whether some watch stands still now."""
        return asyncio.get_running_loop().time() < self._stale_until

    async def watch(
        self, kind: Kind, namespace: str = "", **options: Any
    ) -> AsyncGenerator[WatchEvent, None]:
        if self._refusals:
            self._refusals -= 1
            raise Gone("the simulation keeps no such revision: list again")
        began = self._drops
        async for event in super().watch(kind, namespace, **options):
            if self.is_stale and _STALE[self._which](kind):
                await asyncio.sleep(self._stale_until - asyncio.get_running_loop().time())
            if self._drops != began:
                raise Gone("the simulation dropped this watch: list again")
            yield event
