"""``reconciler plan``: what a sync of a directory would change."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.api.objects import Key, annotations_of
from reconciler.cli import application
from reconciler.cli.building import build
from reconciler.cli.connection import connect
from reconciler.cli.plan import text
from reconciler.errors import NotFound
from reconciler.gitops import plan as plans
from reconciler.gitops.diff import diff
from reconciler.gitops.engine import desired

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient


@click.command(short_help="Show what a sync of PATH would change.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--values",
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML file of values for *.j2 files; may be repeated.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option("--exit-code", is_flag=True, help="Exit with 4 when something would change.")
@click.pass_obj
def command(
    settings: Settings, /, *, path: Path, values: tuple[Path, ...], form: str, exit_code: bool
) -> None:
    """Show what a sync of PATH would change, each change with its cause and its fields. Changes nothing."""
    wanted = application.from_directory(path, values, ())
    application.check(path, wanted)
    found = asyncio.run(_plan(settings, path, wanted))
    click.echo(json.dumps(found.to_json(), indent=2) if form == "json" else text.text(found))
    if exit_code and not found.is_empty:
        raise SystemExit(4)


async def _plan(settings: Settings, path: Path, app: dict[str, Any]) -> plans.Plan:
    from reconciler.cli.validate import snapshot_of

    name = app["metadata"]["name"]
    rendered = await asyncio.to_thread(
        build, snapshot_of(path), app["spec"]["source"], name=name, state_dir=settings.state_dir
    )
    wanted = desired.wanted(rendered.documents, name, "default")
    mask = secrets.token_bytes(16)
    async with connect(settings) as client:
        changes = [await _compare(client, name, key, w, mask) for key, w in wanted.items()]
        changes += await _prunes(client, name, wanted)
    return plans.plan(changes)


async def _compare(
    client: HttpClient, name: str, key: Key, wanted: desired.Wanted, mask: bytes
) -> plans.Change:
    try:
        live = await client.get(wanted.kind, key.name, key.namespace)
    except NotFound:
        return plans.Change("create", key, wanted.object, cause="it does not exist")
    merged = await client.apply(
        wanted.object, field_manager=desired.manager_of(name), force=True, dry_run=True
    )
    fields = diff(live, merged, mask=mask)
    if not fields:
        return plans.Change("unchanged", key, wanted.object)
    return plans.Change("update", key, wanted.object, fields, f"{len(fields)} fields differ")


async def _prunes(
    client: HttpClient, name: str, wanted: dict[Key, desired.Wanted]
) -> list[plans.Change]:
    from reconciler.api import kinds
    from reconciler.gitops.engine.report import inventory_of

    try:
        app = await client.get(kinds.APPLICATION, name)
    except NotFound:
        return []
    found = []
    for key in inventory_of(app):
        kind = kinds.lookup(key.group, key.kind)
        if key in wanted or kind is None:
            continue
        try:
            live = await client.get(kind, key.name, key.namespace)
        except NotFound:
            continue
        mine = annotations_of(live).get(desired.APPLICATION_ANNOTATION) == name
        if mine and plans.may_prune(live):
            found.append(plans.Change("prune", key, None, cause="no manifest asks for it"))
    return found
