"""``reconciler get``: list objects."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from reconciler.cli import names, output, tables
from reconciler.cli.connection import connect
from reconciler.clock import SystemClock

if TYPE_CHECKING:
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object
    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient


@click.command(short_help="List objects.")
@click.argument("what", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("-l", "--selector", default="", help="Label selector.")
@click.option("--field-selector", default="", help="Field selector.")
@click.option("-o", "--output", "form", type=click.Choice(output.FORMATS))
@click.option("-w", "--watch", is_flag=True, help="Go on with every change.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    what: tuple[str, ...],
    namespace: str,
    all_namespaces: bool,
    selector: str,
    field_selector: str,
    form: str | None,
    watch: bool,
) -> None:
    """List objects: `get pods`, `get deploy/web`, `get pods,services -A`, `get all`."""
    where = "" if all_namespaces else namespace
    wanted = names.targets(what)
    asyncio.run(_get(settings, wanted, where, selector, field_selector, form, follow=watch))


async def _get(
    settings: Settings,
    wanted: list[names.Target],
    namespace: str,
    labels: str,
    fields: str,
    form: str | None,
    *,
    follow: bool,
) -> None:
    async with connect(settings) as client:
        groups: dict[Kind, list[Object]] = {}
        revision = ""
        for kind, name in wanted:
            found = groups.setdefault(kind, [])
            where = namespace if kind.namespaced else ""
            if name:
                found.append(await client.get(kind, name, where))
            else:
                listed = await client.list(kind, where, labels=labels, fields=fields)
                found += listed.items
                revision = listed.resource_version
        objects = [o for found in groups.values() for o in found]
        if form in ("json", "yaml"):
            single = len(wanted) == 1 and bool(wanted[0].name)
            output.print_structured(form, objects, single=single)
        elif form == "name":
            for kind, found in groups.items():
                for obj in found:
                    click.echo(
                        f"{kind.resource.replace(kind.plural, kind.singular, 1)}/{obj['metadata']['name']}"
                    )
        elif objects:
            output.print_tables(list(groups.items()), namespaces=not namespace, wide=form == "wide")
        else:
            place = f" in {namespace} namespace" if namespace else ""
            click.echo(f"No resources found{place}.", err=True)
        if follow:
            await _follow(
                client, wanted[0], namespace, revision, labels, fields, wide=form == "wide"
            )


async def _follow(
    client: HttpClient,
    wanted: names.Target,
    namespace: str,
    revision: str,
    labels: str,
    fields: str,
    *,
    wide: bool,
) -> None:
    kind, name = wanted
    where = namespace if kind.namespaced else ""
    selected = f"metadata.name={name}" if name else fields
    events = client.watch(kind, where, since=revision, labels=labels, fields=selected)
    async with aclosing(events):
        async for event in events:
            text = tables.table(
                [event.object], SystemClock().now(), namespaces=not namespace, wide=wide
            )
            click.echo(text.splitlines()[1])
