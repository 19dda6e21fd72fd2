"""``reconciler backup``: the state directory in one file, while everything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.command(short_help="Write the state directory to one file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--volumes",
    is_flag=True,
    help="With the data of the volumes, as it is while programs write it.",
)
@click.option(
    "--keys",
    is_flag=True,
    help="With the keys that decrypt Secrets and history: guard such a file like them.",
)
@click.option(
    "--sources",
    is_flag=True,
    help="With the clones of git repositories; they are fetched again otherwise.",
)
@click.pass_obj
def command(settings: Settings, /, *, file: Path, volumes: bool, keys: bool, sources: bool) -> None:
    """Write the objects, their history and what else makes up the state directory to FILE (a gzipped tar, 0600).

    The daemon goes on meanwhile; FILE is there when it is complete.
    """
    from reconciler.clock import SystemClock
    from reconciler.daemon.backup import Contents, create

    report = create(settings.state_dir, file, Contents(volumes, keys, sources), SystemClock())
    for why in report.skipped:
        click.echo(f"not taken along: {why}", err=True)
    click.echo(f"{file}: {report.files} files, {report.size / (1 << 20):.1f} MiB of state")
