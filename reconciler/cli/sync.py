"""``reconciler sync``: sync an Application now."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.api import requests
from reconciler.cli import asking, follow
from reconciler.cli.connection import connect
from reconciler.cli.duration import parse_duration
from reconciler.errors import Invalid

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Sync an Application now.")
@click.argument("name", default="")
@click.option(
    "--revision",
    default="",
    metavar="REVISION",
    help="Sync to this branch, tag or commit of its repository instead, until what it follows changes.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@click.option("--confirm-prune", is_flag=True, help="Delete also what waits for a confirmation.")
@click.option("--override-windows", is_flag=True, help="Sync although a sync window forbids it.")
@click.option("--adopt", is_flag=True, help="Take over objects that exist already.")
@click.option("--timeout", "limit", default="5m", show_default=True, metavar="DURATION")
@click.option(
    "--plan",
    "plan",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Do just what `plan --app NAME --out FILE` kept; refused when that is stale.",
)
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    name: str,
    revision: str,
    dry_run: bool,
    confirm_prune: bool,
    override_windows: bool,
    adopt: bool,
    limit: str,
    plan: Path | None,
) -> None:
    """Sync an Application now, also one that is not automated, and follow it until it is healthy.

    Ends a rollback, and tries a revision again that was given up. With --revision once to another revision than the
    Application follows: that stays, as after a rollback, until a new one is there or `sync` is run without it.
    """
    seconds = parse_duration(limit)
    if plan is not None:
        if revision or dry_run or confirm_prune:
            raise click.UsageError("--plan says all: no --revision, --dry-run or --confirm-prune")
        raise SystemExit(asyncio.run(_sync_plan(settings, name, plan, seconds)))
    if dry_run:
        raise SystemExit(
            asyncio.run(_show(settings, name, revision, confirm=confirm_prune, adopt=adopt))
        )
    options = [requests.OVERRIDE_WINDOWS] * override_windows + [requests.ADOPT] * adopt
    raise SystemExit(
        asyncio.run(_sync(settings, name, revision, options, seconds, confirm=confirm_prune))
    )


async def _show(settings: Settings, name: str, revision: str, *, confirm: bool, adopt: bool) -> int:
    """Print what a sync would do; returns the exit code, 3 where what is asked for cannot be used."""
    from reconciler.cli.plan.text import text

    async with connect(settings) as client:
        app = await asking.choose(client, name)
        digest = str(((app.get("status") or {}).get("prune") or {}).get("digest") or "")
        asked = requests.PlanRequest(
            fresh=True, asked=True, revision=revision, adopt=adopt,
            confirm=digest if confirm else "",
        )  # fmt: skip
        try:
            found = await client.plan(app["metadata"]["name"], asked)
        except Invalid as error:
            click.echo(f"error: {error}", err=True)
            return 3
    click.echo(text(found))
    return 3 if found.get("problems") else 0


async def _sync_plan(settings: Settings, name: str, path: Path, seconds: float) -> int:
    from reconciler.cli.plan import approved

    plan = approved.read(path)
    if name and name != plan["application"]:
        raise click.UsageError(f"{path} is a plan of {plan['application']}, not of {name}")
    async with connect(settings) as client:
        app = await approved.request(client, plan)
        return await follow.until_healthy(client, app, seconds, answered=True)


async def _sync(
    settings: Settings,
    name: str,
    revision: str,
    options: list[str],
    seconds: float,
    *,
    confirm: bool,
) -> int:
    async with connect(settings) as client:
        app = await asking.choose(client, name)
        name = app["metadata"]["name"]
        digest = _confirmed(app.get("status") or {}) if confirm else ""
        try:
            app = await asking.ask_sync(
                client, name, seconds, options=options, confirm=digest, revision=revision
            )
        except asking.Refused as refused:
            click.echo(f"error: {refused}", err=True)
            return 3 if refused.invalid else 1
        return await follow.until_healthy(client, app, seconds, answered=True)


def _confirmed(status: dict[str, Any]) -> str:
    """Return the digest of what waits to be pruned, and print it: just that is confirmed."""
    waiting = status.get("prune") or {}
    if not waiting.get("digest"):
        click.echo("nothing waits for a confirmation")
        return ""
    for held in waiting["held"]:
        if held["confirmable"]:
            where = f"{held['namespace']}/" if held.get("namespace") else ""
            click.echo(f"- {held['kind']} {where}{held['name']}  (was held: {held['reason']})")
    return str(waiting["digest"])
