"""``reconciler restore``: a state directory of a backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Make a state directory of a backup.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--force",
    is_flag=True,
    help="Move a state directory that is not empty aside; nothing is deleted.",
)
@click.option(
    "--check",
    "check_only",
    is_flag=True,
    help="Say whether FILE is whole, and what is in it; write nothing.",
)
@click.pass_obj
def command(settings: Settings, /, *, file: Path, force: bool, check_only: bool) -> None:
    """Check FILE, then put it in the state directory's place: all of it or nothing. No daemon may run there."""
    from reconciler.clock import SystemClock
    from reconciler.daemon.backup import check, restore

    if check_only:
        header = check(file)
    else:
        header = restore(file, settings.state_dir, SystemClock(), force=force)
    parts = {"volumes": header.volumes, "keys": header.keys, "sources": header.sources}
    inside = ", ".join(["objects", "history", *(name for name, there in parts.items() if there)])
    told = f"of {header.node}, {header.created_at}, reconciler {header.version}: {inside}"
    if check_only:
        click.echo(f"{file} is whole: {told}")
        return
    click.echo(f"{settings.state_dir} restored {told}")
    if not header.volumes:
        click.echo("volumes were not in it: PersistentVolumeClaims begin empty")
    click.echo("start it with `reconciler daemon`")
