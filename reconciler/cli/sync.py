"""``reconciler sync``: sync an Application now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.api import kinds
from reconciler.cli import follow
from reconciler.cli.connection import connect
from reconciler.cli.duration import parse_duration
from reconciler.clock import SystemClock, rfc3339_micro
from reconciler.errors import NotFound

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Sync an Application now.")
@click.argument("name", default="")
@click.option("--timeout", "limit", default="5m", show_default=True, metavar="DURATION")
@click.pass_obj
def command(settings: Settings, /, *, name: str, limit: str) -> None:
    """Sync an Application now, also one that is not automated, and follow it until it is healthy."""
    raise SystemExit(asyncio.run(_sync(settings, name, parse_duration(limit))))


async def _sync(settings: Settings, name: str, seconds: float) -> int:
    async with connect(settings) as client:
        apps = [a["metadata"]["name"] for a in (await client.list(kinds.APPLICATION)).items]
        if name and name not in apps:
            raise NotFound(f"there is no Application {name!r}: {', '.join(apps) or 'none at all'}")
        if not name and len(apps) != 1:
            raise click.UsageError(f"name the Application: {', '.join(apps) or 'there is none'}")
        at = rfc3339_micro(SystemClock().now())
        patch = {"metadata": {"annotations": {"reconciler.dev/sync-requested-at": at}}}
        app = await client.patch(kinds.APPLICATION, name or apps[0], "", patch)
        return await follow.until_healthy(client, app, seconds)
