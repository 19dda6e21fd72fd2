"""Reaching the daemon of a state directory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient


@contextlib.asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[HttpClient]:
    """Yield a client of the daemon. Raises ``ReconcilerError`` in one line where none runs."""
    from reconciler.cli.background import is_running
    from reconciler.client import HttpClient

    none = ReconcilerError(
        f"no reconciler daemon runs on {settings.state_dir}: start one with `reconciler up PATH` "
        "or `reconciler daemon`"
    )
    if not is_running(settings.state_dir):
        raise none
    try:
        async with HttpClient(settings.state_dir / "api.sock") as client:
            yield client
    except Unavailable as error:
        if is_running(settings.state_dir):
            raise
        raise none from error
