"""``metrics``: where Prometheus and load balancers ask, beside the API's own socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.config.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.loading import Mistake


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``listen`` is ADDRESS:PORT for /metrics, /healthz and /readyz; empty: only on the API's socket."""

    listen: str = ""

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what a schema cannot see."""
        if self.listen:
            try:
                parse_address(self.listen)
            except ValueError as error:
                yield ("listen",), str(error)
