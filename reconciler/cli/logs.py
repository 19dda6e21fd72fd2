"""``reconciler logs``: print a container's log."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from reconciler.api.node import LogOptions
from reconciler.cli.connection import connect
from reconciler.cli.duration import parse_duration
from reconciler.cli.pods import pod_name, say_default

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Print a container's log.")
@click.argument("pod")
@click.argument("named", metavar="[CONTAINER]", default="")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-c", "--container", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written.")
@click.option("-p", "--previous", is_flag=True, help="Of the run before the present one.")
@click.option("--since", metavar="DURATION", help="Only what is newer than this.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last lines.")
@click.option("--timestamps", is_flag=True)
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    pod: str,
    named: str,
    namespace: str,
    container: str,
    follow: bool,
    previous: bool,
    since: str | None,
    tail: int | None,
    timestamps: bool,
) -> None:
    """Print a container's log: `logs POD`, `logs POD CONTAINER`, `logs deploy/web -f`."""
    if named and container not in ("", named):
        raise click.UsageError(f"two containers are named: {named} and {container}")
    seconds = parse_duration(since) if since else None
    options = LogOptions(follow, previous, seconds, tail, None, timestamps)
    asyncio.run(_logs(settings, pod, namespace, container or named, options))


async def _logs(
    settings: Settings, pod: str, namespace: str, container: str, options: LogOptions
) -> None:
    async with connect(settings) as client:
        name = await pod_name(client, pod, namespace)
        if not container:
            await say_default(client, name, namespace)
        async for piece in client.logs(namespace, name, container, options):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
