"""``reconciler suspend`` and ``resume``: whether an Application is synced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.api import kinds
from reconciler.cli.connection import connect
from reconciler.cli.duration import parse_duration
from reconciler.clock import SystemClock, parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


async def _set(settings: Settings, name: str, *, suspended: bool, until: str | None) -> None:
    async with connect(settings) as client:
        patch = {"spec": {"suspend": suspended, "suspendUntil": until}}
        await client.patch(kinds.APPLICATION, name, "", patch, field_manager="reconciler-suspend")


def parse_until(text: str, now: float) -> str:
    """Return a time as objects hold it, of one or of a duration from now. Raises ``click.UsageError``.

    >>> parse_until("2h", 1_700_000_000.0), parse_until("2026-01-31T18:00:00+01:00", 0.0)
    ('2023-11-15T00:13:20Z', '2026-01-31T17:00:00Z')
    """
    try:
        return rfc3339(parse_rfc3339(text))
    except ValueError:
        pass
    try:
        return rfc3339(now + parse_duration(text))
    except click.UsageError as error:
        raise click.UsageError(
            f"--until {text}: expected a duration such as 2h, or a time such as 2026-01-31T18:00:00Z"
        ) from error


@click.command(short_help="Stop syncing an Application.")
@click.argument("name")
@click.option("--until", metavar="TIME", help="Sync again from then on: 2h, 2026-01-31T18:00:00Z.")
@click.pass_obj
def suspend(settings: Settings, /, *, name: str, until: str | None) -> None:
    """Stop syncing an Application. What runs goes on running."""
    at = parse_until(until, SystemClock().now()) if until else None
    asyncio.run(_set(settings, name, suspended=True, until=at))
    click.echo(f"{name} suspended until {at}" if at else f"{name} suspended")


@click.command(short_help="Sync an Application again.")
@click.argument("name")
@click.pass_obj
def resume(settings: Settings, /, *, name: str) -> None:
    """Sync an Application again that was suspended."""
    asyncio.run(_set(settings, name, suspended=False, until=None))
    click.echo(f"{name} resumed")
