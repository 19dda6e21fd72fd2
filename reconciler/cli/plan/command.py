"""The command: which two states are compared, and how that is told."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cli.plan.sets import Wanted
    from reconciler.cli.settings import Settings
    from reconciler.gitops.plan import Change

#: Values of Secrets are hidden under a key of so many bytes.
MASK_BYTES = 16


@click.command(short_help="Show what a sync would change.")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--app", default="", metavar="NAME", help="Plan what this Application's sync would do."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --app: keep the plan, for `sync --plan FILE` to do just that.",
)
@click.option(
    "--base-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Compare with what lies in DIR instead of what runs.",
)
@click.option(
    "--base-ref",
    default="",
    metavar="REF",
    help="Compare with PATH as it is in this commit, branch or tag of its git checkout.",
)
@click.option(
    "--values",
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML file of values for *.j2 files; may be repeated.",
)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One value for *.j2 files.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
)
@click.option("--exit-code", is_flag=True, help="Exit with 4 when something would change.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    path: Path | None,
    app: str,
    out: Path | None,
    base_dir: Path | None,
    base_ref: str,
    values: tuple[Path, ...],
    sets: tuple[str, ...],
    form: str,
    exit_code: bool,
) -> None:
    """Show what a sync would change: a graph of changes, each with its cause, what it comes after, and its fields.

    PATH is compared with what the daemon of the state directory runs; where none runs, with nothing; with --base-dir or
    --base-ref with what was rendered there, and no daemon is asked. --app plans what an Application's
    daemon would do to sync it. Nothing is changed.
    """
    bases = (base_dir is not None) + bool(base_ref)
    if (path is None) == (not app) or bases > 1 or (app and bases):
        raise click.UsageError(
            "give PATH, with at most one of --base-dir and --base-ref, or --app NAME"
        )
    if out is not None and not app:
        raise click.UsageError("--out needs --app: what is approved is an Application's sync")
    if path is None:
        from reconciler.cli.plan import approved

        found = asyncio.run(approved.planned(settings, app))
        if out is not None:
            approved.write(out, found)
    else:
        found = _of_path(settings, path, base_dir, base_ref, values, sets)
    click.echo(_told(found, form))
    if found.get("problems"):
        raise SystemExit(3)
    if exit_code and found["changes"]:
        raise SystemExit(4)


def _told(found: Mapping[str, Any], form: str) -> str:
    from reconciler.cli.plan.markdown import markdown
    from reconciler.cli.plan.text import text

    match form:
        case "json":
            return json.dumps(found, indent=2)
        case "markdown":
            return markdown(found)
    return text(found)


def _of_path(
    settings: Settings,
    path: Path,
    base_dir: Path | None,
    base_ref: str,
    values: tuple[Path, ...],
    sets: tuple[str, ...],
) -> dict[str, Any]:
    from reconciler.cli import application
    from reconciler.cli.plan import sets as read
    from reconciler.gitops.plan import plan
    from reconciler.gitops.plan.rendered import changes_between

    app = application.from_directory(path, values, sets)
    application.check(path, app)
    wanted = read.of_path(path, app, settings.state_dir)
    if base_dir is not None:
        before = read.of_path(base_dir, app, settings.state_dir)
    elif base_ref:
        before = read.of_ref(path, base_ref, app, settings.state_dir)
    else:
        before = None
    if before is None:
        changes = _against_what_runs(settings, app["metadata"]["name"], wanted)
    else:
        sides = [{k: w.object for k, w in side.objects.items()} for side in (before, wanted)]
        changes = changes_between(*sides, mask=secrets.token_bytes(MASK_BYTES))
    found = plan(changes)
    for problem in found.problems:
        document = wanted.documents.get(problem.key)
        if document is not None:
            click.echo(document.finding("plan/order", "error", problem.message).text(), err=True)
    return found.to_json()


def _against_what_runs(settings: Settings, name: str, wanted: Wanted) -> list[Change]:
    from reconciler.cli.background import is_running
    from reconciler.cli.connection import connect
    from reconciler.cli.plan import live
    from reconciler.gitops.plan.rendered import changes_between

    mask = secrets.token_bytes(MASK_BYTES)
    if not is_running(settings.state_dir):
        click.echo(f"no daemon runs on {settings.state_dir}: compared with nothing", err=True)
        return changes_between({}, {k: w.object for k, w in wanted.objects.items()}, mask=mask)

    async def asked() -> list[Change]:
        async with connect(settings) as client:
            return await live.changes(client, name, wanted.objects, mask)

    return asyncio.run(asked())
