"""``log``: how much the daemon says, and in which form."""

from __future__ import annotations

import msgspec


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``level`` is error, warning, info or debug; ``format`` is text or json."""

    level: str = "info"
    format: str = "text"
