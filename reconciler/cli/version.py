"""``reconciler version``."""

from __future__ import annotations

import platform

import click

from reconciler import __version__


@click.command(short_help="Print the version.")
def command() -> None:
    """Print the version of reconciler and of what it stands on."""
    click.echo(
        f"reconciler {__version__} (Python {platform.python_version()}, {platform.system()} {platform.machine()})"
    )
