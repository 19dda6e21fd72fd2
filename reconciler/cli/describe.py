"""``reconciler describe``: one object, and what happened to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
import yaml

from reconciler.api import kinds
from reconciler.cli import names, output, tables
from reconciler.cli.connection import connect
from reconciler.cli.events import rows
from reconciler.clock import SystemClock

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.cli.settings import Settings


@click.command(short_help="Show one object and its Events.")
@click.argument("what", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.pass_obj
def command(settings: Settings, /, *, what: tuple[str, ...], namespace: str) -> None:
    """Show objects in full, with their Events: `describe pod web-0`."""
    asyncio.run(_describe(settings, names.targets(what), namespace))


async def _describe(settings: Settings, wanted: list[names.Target], namespace: str) -> None:
    async with connect(settings) as client:
        for kind, name in wanted:
            where = namespace if kind.namespaced else ""
            objects = (
                [await client.get(kind, name, where)]
                if name
                else (await client.list(kind, where)).items
            )
            for obj in objects:
                click.echo(_text(obj))
                fields = (
                    f"involvedObject.kind={kind.kind},involvedObject.name={obj['metadata']['name']}"
                )
                events = (await client.list(kinds.EVENT, where or "default", fields=fields)).items
                if events:
                    head = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
                    click.echo("Events:")
                    click.echo(tables.aligned([head, *rows(events, SystemClock().now())]))
                else:
                    click.echo("Events: <none>")


def _text(obj: Object) -> str:
    """Return an object as YAML, what users look for first, Secrets without their values."""
    shown = output.without_managed_fields(obj)
    if obj.get("kind") == "Secret":
        shown["data"] = {
            k: f"<{len(v) * 3 // 4} bytes>" for k, v in (obj.get("data") or {}).items()
        }
    order = ("kind", "apiVersion", "metadata", "spec", "status")
    ordered = {k: shown[k] for k in order if k in shown} | shown
    return str(yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True)).rstrip()
