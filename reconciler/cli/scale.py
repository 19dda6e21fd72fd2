"""``reconciler scale``: set a workload's number of replicas."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli import names
from reconciler.cli.connection import connect

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Set a workload's number of replicas.")
@click.argument("what", nargs=-1, required=True)
@click.option("--replicas", type=click.IntRange(min=0), required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.pass_obj
def command(settings: Settings, /, *, what: tuple[str, ...], replicas: int, namespace: str) -> None:
    """Set a workload's number of replicas: `scale deploy/web --replicas 3`."""
    target = names.one(what)
    if not target.kind.scale:
        raise click.UsageError(f"{target.kind.kind} cannot be scaled")
    asyncio.run(_scale(settings, target, namespace, replicas))
    click.echo(f"{target.kind.singular}.{target.kind.group}/{target.name} scaled")


async def _scale(settings: Settings, target: names.Target, namespace: str, replicas: int) -> None:
    async with connect(settings) as client:
        patch = {"spec": {"replicas": replicas}}
        await client.patch(
            target.kind, target.name, namespace, patch, field_manager="reconciler-scale"
        )
