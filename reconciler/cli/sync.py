"""``reconciler sync``: sync an Application now."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.api import kinds
from reconciler.cli import follow
from reconciler.cli.connection import connect
from reconciler.cli.duration import parse_duration
from reconciler.clock import SystemClock, rfc3339_micro
from reconciler.errors import NotFound

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Sync an Application now.")
@click.argument("name", default="")
@click.option("--timeout", "limit", default="5m", show_default=True, metavar="DURATION")
@click.option(
    "--plan",
    "plan",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Do just what `plan --app NAME --out FILE` kept; refused when that is stale.",
)
@click.pass_obj
def command(settings: Settings, /, *, name: str, limit: str, plan: Path | None) -> None:
    """Sync an Application now, also one that is not automated, and follow it until it is healthy."""
    seconds = parse_duration(limit)
    if plan is not None:
        raise SystemExit(asyncio.run(_sync_plan(settings, name, plan, seconds)))
    raise SystemExit(asyncio.run(_sync(settings, name, seconds)))


async def _sync_plan(settings: Settings, name: str, path: Path, seconds: float) -> int:
    from reconciler.cli.plan import approved

    plan = approved.read(path)
    if name and name != plan["application"]:
        raise click.UsageError(f"{path} is a plan of {plan['application']}, not of {name}")
    async with connect(settings) as client:
        return await follow.until_healthy(client, await approved.request(client, plan), seconds)


async def _sync(settings: Settings, name: str, seconds: float) -> int:
    async with connect(settings) as client:
        apps = [a["metadata"]["name"] for a in (await client.list(kinds.APPLICATION)).items]
        if name and name not in apps:
            raise NotFound(f"there is no Application {name!r}: {', '.join(apps) or 'none at all'}")
        if not name and len(apps) != 1:
            raise click.UsageError(f"name the Application: {', '.join(apps) or 'there is none'}")
        at = rfc3339_micro(SystemClock().now())
        asked = {"reconciler.dev/sync-requested-at": at, "reconciler.dev/approved-plan": None}
        patch = {"metadata": {"annotations": asked}}
        app = await client.patch(kinds.APPLICATION, name or apps[0], "", patch)
        return await follow.until_healthy(client, app, seconds)
