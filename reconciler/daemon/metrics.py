"""The figures of all parts, for whoever scrapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.telemetry.measures import gauge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from reconciler.telemetry.exposition import Exposition
    from reconciler.telemetry.measures import Family, Measured


class Metrics:
    """Asks the parts. The library that writes Prometheus' text is loaded by the first scrape."""

    def __init__(
        self,
        parts: Sequence[Measured],
        *,
        runtime: str,
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``refresh`` fetches the figures of parts that are processes of their own."""
        self._parts = parts
        self._refresh = refresh
        self._runtime = runtime
        self._exposition: Exposition | None = None

    def families(self) -> Iterator[Family]:
        """Yield every figure."""
        labels = ("version", "runtime")
        yield gauge(
            "reconciler_build_info",
            "What runs: always 1.",
            labels,
            [((__version__, self._runtime), 1)],
        )
        for part in self._parts:
            yield from part.measures()

    async def text(self, accept: str) -> tuple[bytes, str]:
        """Return the text in the format that an ``Accept`` header prefers, and its content type."""
        if self._refresh is not None:
            await self._refresh()
        if self._exposition is None:
            from reconciler.telemetry.exposition import Exposition

            self._exposition = Exposition(self.families)
        return self._exposition.text(accept)
