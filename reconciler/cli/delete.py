"""``reconciler delete``: delete objects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.api.client import DeleteOptions
from reconciler.cli import names
from reconciler.cli.connection import connect

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Delete objects.")
@click.argument("what", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--grace-period", type=click.IntRange(min=0), help="Seconds that a Pod has to end.")
@click.pass_obj
def command(
    settings: Settings, /, *, what: tuple[str, ...], namespace: str, grace_period: int | None
) -> None:
    """Delete objects by name. What an Application wants is made again at once."""
    found = names.targets(what)
    if any(not t.name for t in found):
        raise click.UsageError("name the objects: KIND NAME… or KIND/NAME…")
    asyncio.run(_delete(settings, found, namespace, grace_period))


async def _delete(
    settings: Settings, found: list[names.Target], namespace: str, grace: int | None
) -> None:
    async with connect(settings) as client:
        for kind, name in found:
            where = namespace if kind.namespaced else ""
            await client.delete(kind, name, where, DeleteOptions(grace_seconds=grace))
            click.echo(f'{kind.singular} "{name}" deleted')
