"""``reconciler delete``: delete objects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.api.client import DeleteOptions, Propagation
from reconciler.cli import names
from reconciler.cli.connection import connect

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Delete objects.")
@click.argument("what", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--grace-period", type=click.IntRange(min=0), help="Seconds that a Pod has to end.")
@click.option(
    "--cascade", type=click.Choice(["background", "foreground", "orphan"]), default="background",
    show_default=True, help="What happens to what the object owns.",
)  # fmt: skip
@click.pass_obj
def command(
    settings: Settings, /, *, what: tuple[str, ...], namespace: str,
    grace_period: int | None, cascade: str,
) -> None:  # fmt: skip
    """Delete objects by name. What an Application wants is made again at once."""
    found = names.targets(what)
    if any(not t.name for t in found):
        raise click.UsageError("name the objects: KIND NAME… or KIND/NAME…")
    options = DeleteOptions(grace_period, Propagation(cascade.capitalize()))
    asyncio.run(_delete(settings, found, namespace, options))


async def _delete(
    settings: Settings, found: list[names.Target], namespace: str, options: DeleteOptions
) -> None:
    async with connect(settings) as client:
        for kind, name in found:
            where = namespace if kind.namespaced else ""
            await client.delete(kind, name, where, options)
            click.echo(f'{kind.singular} "{name}" deleted')
