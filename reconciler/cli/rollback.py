"""``reconciler rollback``: apply again what an Application was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli import asking, follow
from reconciler.cli.connection import connect
from reconciler.cli.duration import parse_duration

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Go back to a revision of the history.")
@click.argument("name")
@click.argument("revision", default="")
@click.option("--timeout", "limit", default="5m", show_default=True, metavar="DURATION")
@click.pass_obj
def command(settings: Settings, /, *, name: str, revision: str, limit: str) -> None:
    """Apply what an Application's history recorded, and follow it until it is healthy.

    REVISION is an ID or a revision that `reconciler history` shows; without one it is the good one before. The source is not
    followed until it changes, or `reconciler sync` is run.
    """
    raise SystemExit(asyncio.run(_rollback(settings, name, revision, parse_duration(limit))))


async def _rollback(settings: Settings, name: str, revision: str, seconds: float) -> int:
    async with connect(settings) as client:
        await asking.choose(client, name)
        try:
            app = await asking.ask_rollback(client, name, seconds, revision)
        except asking.Refused as refused:
            click.echo(f"error: {refused}", err=True)
            return 1
        return await follow.until_healthy(client, app, seconds, answered=True)
