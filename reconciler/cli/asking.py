"""Asking an Application for something, and waiting for its answer."""

from __future__ import annotations

import asyncio
import getpass
from typing import TYPE_CHECKING

import click

from reconciler.api import kinds, requests
from reconciler.clock import SystemClock, rfc3339_micro
from reconciler.errors import NotFound, ReconcilerError

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.client import HttpClient

#: An answer is looked for so often, in seconds.
LOOK_SECONDS = 0.05


class Refused(ReconcilerError):
    """The Application does not do it; the message says why. ``invalid``: for what its source holds."""

    def __init__(self, message: str, *, invalid: bool) -> None:
        super().__init__(message)
        self.invalid = invalid


async def choose(client: HttpClient, name: str) -> Object:
    """Return the Application of a name, or the only one. Raises ``NotFound``, ``click.UsageError``."""
    apps = {a["metadata"]["name"]: a for a in (await client.list(kinds.APPLICATION)).items}
    if name and name not in apps:
        raise NotFound(f"there is no Application {name!r}: {', '.join(apps) or 'none at all'}")
    if not name and len(apps) != 1:
        raise click.UsageError(f"name the Application: {', '.join(apps) or 'there is none'}")
    return apps[name] if name else next(iter(apps.values()))


async def ask_sync(
    client: HttpClient,
    name: str,
    seconds: float,
    *,
    options: list[str],
    confirm: str = "",
    revision: str = "",
    approved: str = "",
) -> Object:
    """Ask for a sync; returns the Application with the answer. Raises ``Refused``, or when none comes in time.

    ``confirm`` as ``requests.confirmed_prune``; ``revision`` and ``approved`` as ``requests.SyncRequest``.
    """
    annotations: dict[str, str | None] = {
        requests.SYNC_OPTIONS: ",".join(options) or None,
        requests.CONFIRM_PRUNE: confirm or None,
        requests.SYNC_REVISION: revision or None,
        requests.APPROVED_PLAN: approved or None,
    }
    return await _ask(
        client, name, seconds, requests.SYNC_REQUESTED, "lastSyncRequest", annotations
    )


async def ask_refresh(client: HttpClient, name: str, seconds: float) -> Object:
    """Let the source be read; returns the Application as it is then, or as it is made so. Raises as ``ask_sync``."""
    return await _ask(client, name, seconds, requests.REFRESH_REQUESTED, "lastRefreshRequest", {})


async def ask_rollback(client: HttpClient, name: str, seconds: float, to: str) -> Object:
    """Ask for a rollback; ``to`` as ``requests.RollbackRequest``. Raises as ``ask_sync``."""
    return await _ask(
        client, name, seconds, requests.ROLLBACK_REQUESTED, "lastRollbackRequest",
        {requests.ROLLBACK_TO: to or None},
    )  # fmt: skip


async def _ask(
    client: HttpClient,
    name: str,
    seconds: float,
    request: str,
    field: str,
    annotations: dict[str, str | None],
) -> Object:
    at = rfc3339_micro(SystemClock().now())
    given = {**annotations, request: at, requests.REQUESTED_BY: _user()}
    await client.patch(kinds.APPLICATION, name, "", {"metadata": {"annotations": given}})
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline:
        app = await client.get(kinds.APPLICATION, name)
        status = app.get("status") or {}
        answer = status.get(field) or {}
        if answer.get("at") == at:
            if not answer.get("accepted"):
                raise Refused(answer.get("message", ""), invalid=bool(answer.get("invalid")))
            return app
        await asyncio.sleep(LOOK_SECONDS)
    raise ReconcilerError(f"{name} has not answered: `reconciler status {name}` says how it is")


def _user() -> str:
    """Return who asks, for the history: a name, no proof."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
