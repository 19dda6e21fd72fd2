"""``reconciler suspend`` and ``resume``: whether an Application is synced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.api import kinds
from reconciler.cli.connection import connect

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


async def _set(settings: Settings, name: str, *, suspended: bool) -> None:
    async with connect(settings) as client:
        patch = {"spec": {"suspend": suspended}}
        await client.patch(kinds.APPLICATION, name, "", patch, field_manager="reconciler-suspend")


@click.command(short_help="Stop syncing an Application.")
@click.argument("name")
@click.pass_obj
def suspend(settings: Settings, /, *, name: str) -> None:
    """Stop syncing an Application. What runs goes on running."""
    asyncio.run(_set(settings, name, suspended=True))
    click.echo(f"{name} suspended")


@click.command(short_help="Sync an Application again.")
@click.argument("name")
@click.pass_obj
def resume(settings: Settings, /, *, name: str) -> None:
    """Sync an Application again that was suspended."""
    asyncio.run(_set(settings, name, suspended=False))
    click.echo(f"{name} resumed")
