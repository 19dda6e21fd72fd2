"""``reconciler events``: what happened."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from reconciler.api import kinds
from reconciler.cli import names, tables
from reconciler.cli.connection import connect
from reconciler.clock import SystemClock

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.cli.settings import Settings


@click.command(short_help="List Events.")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("--for", "about", metavar="KIND/NAME", help="Only about this object.")
@click.option("-w", "--watch", is_flag=True, help="Go on with new ones.")
@click.pass_obj
def command(
    settings: Settings, /, *, namespace: str, all_namespaces: bool, about: str | None, watch: bool
) -> None:
    """List Events, oldest first."""
    fields = ""
    if about:
        target = names.one((about,))
        fields = f"involvedObject.kind={target.kind.kind},involvedObject.name={target.name}"
    asyncio.run(_events(settings, "" if all_namespaces else namespace, fields, follow=watch))


def rows(events: list[Object], now: float) -> list[list[str]]:
    """Return the rows of a table of Events, oldest first."""
    found = []
    for event in sorted(events, key=lambda e: e.get("lastTimestamp") or ""):
        about = event.get("involvedObject") or {}
        count = event.get("count", 1)
        seen = tables.age(event.get("lastTimestamp"), now)
        if count > 1:
            seen += f" (x{count} over {tables.age(event.get('firstTimestamp'), now)})"
        found.append([
            seen, event.get("type", ""), event.get("reason", ""),
            f"{about.get('kind', '')}/{about.get('name', '')}", " ".join(event.get("message", "").split()),
        ])  # fmt: skip
    return found


async def _events(settings: Settings, namespace: str, fields: str, *, follow: bool) -> None:
    async with connect(settings) as client:
        listed = await client.list(kinds.EVENT, namespace, fields=fields)
        head = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
        found = rows(listed.items, SystemClock().now())
        if not found and not follow:
            where = f" in {namespace} namespace" if namespace else ""
            click.echo(f"No events found{where}.", err=True)
            return
        click.echo(tables.aligned([head, *found]))
        if not follow:
            return
        watch = client.watch(kinds.EVENT, namespace, since=listed.resource_version, fields=fields)
        async with aclosing(watch) as changes:
            async for change in changes:
                click.echo("   ".join(rows([change.object], SystemClock().now())[0]))
