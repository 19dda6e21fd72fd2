"""``reconciler up``: run a directory's manifests here and keep them so."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.daemon import make_options, serving_options

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Run PATH's manifests here and keep them so.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--detach", is_flag=True, help="Return; a daemon goes on in the background.")
@click.option("--wait", is_flag=True, help="With --detach: return only when everything is healthy.")
@click.option(
    "--timeout",
    "limit",
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long --wait waits.",
)
@click.option(
    "--values",
    "values",
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML file of values for *.j2 files; may be repeated.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="One value for *.j2 files; may be repeated.",
)
@click.option(
    "--name", default="", metavar="NAME", help="The Application's name; the folder's, unless given."
)
@serving_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    path: Path,
    detach: bool,
    wait: bool,
    limit: str,
    values: tuple[Path, ...],
    sets: tuple[str, ...],
    name: str,
    **flags: Any,
) -> None:
    """Run PATH's manifests here and keep them so: watch, sync, follow. Ctrl-C stops all; data in volumes stays."""
    from reconciler.cli import application, background
    from reconciler.cli.duration import parse_duration

    seconds = parse_duration(limit)
    wanted = application.from_directory(path, values, sets, name)
    application.check(path, wanted)
    options = make_options(settings, **flags)
    if background.is_running(settings.state_dir):
        asyncio.run(_say_unheeded(settings, flags))
    if detach:
        background.ensure(settings, options)
        code = asyncio.run(_apply_and_follow(settings, wanted, seconds, follow=wait))
    else:
        code = asyncio.run(_foreground(settings, options, wanted, seconds))
    raise SystemExit(code)


async def _say_unheeded(settings: Settings, flags: dict[str, Any]) -> None:
    """Say which flags come too late for the daemon that runs."""
    from reconciler.cli.connection import connect
    from reconciler.cli.daemon import unheeded

    async with connect(settings) as client:
        details = await client.details()
    late = unheeded(flags, details)
    if settings.runtime not in (None, details["runtime"]):
        late.append(f"--runtime {settings.runtime}")
    if late:
        click.echo(
            f"warning: the daemon that runs (pid {details['pid']}) keeps what it was started with; "
            f"{', '.join(late)} would need `reconciler down` first", err=True,
        )  # fmt: skip


async def _apply_and_follow(
    settings: Settings, wanted: dict[str, Any], seconds: float, *, follow: bool
) -> int:
    from reconciler.cli import application, asking
    from reconciler.cli import follow as following
    from reconciler.cli.connection import connect

    async with connect(settings) as client:
        applied = await application.apply(client, wanted)
        if follow:
            # What stands in the status may be of what the files were before.
            applied = await asking.ask_refresh(client, applied["metadata"]["name"], seconds)
        if not follow:
            details = await client.details()
            click.echo(f"{applied['metadata']['name']} is being brought up by pid {details['pid']}")
            return 0
        return await following.until_healthy(client, applied, seconds)


async def _foreground(
    settings: Settings, options: Any, wanted: dict[str, Any], seconds: float
) -> int:
    """Use the state directory's daemon, or be it; follow until Ctrl-C, then stop what was started."""
    from reconciler import telemetry
    from reconciler.cli import background, down
    from reconciler.daemon.run import run

    if background.is_running(settings.state_dir):
        return await _apply_and_follow(settings, wanted, seconds, follow=True)
    telemetry.configure(telemetry.LEVELS[settings.verbosity])
    stop, ready = asyncio.Event(), asyncio.Event()
    interrupted = asyncio.Event()
    serving = asyncio.create_task(run(options, ready=ready.set, stop=stop, interrupted=interrupted))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if serving.done():
        await serving
        return 1
    following = asyncio.create_task(_follow(settings, wanted, seconds))
    await interrupted.wait()
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    click.echo("\nstopping …")
    await down.take_down(settings, volumes=False)
    await serving
    return 130


async def _follow(settings: Settings, wanted: dict[str, Any], seconds: float) -> None:
    from reconciler.cli import application, asking
    from reconciler.cli import follow as following
    from reconciler.cli.connection import connect

    async with connect(settings) as client:
        applied = await application.apply(client, wanted)
        applied = await asking.ask_refresh(client, applied["metadata"]["name"], seconds)
        await following.until_healthy(client, applied, seconds)
        await following.for_ever(client, applied)
