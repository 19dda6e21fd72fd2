"""``reconciler install`` and ``reconciler uninstall``: the daemon as a service of systemd."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.errors import ConfigError, ReconcilerError

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings

NAME = "reconciler.service"
_CONFIG = Path("/etc/reconciler/reconciler.yaml")

_user = click.option("--user", is_flag=True, help="As a service of this user, without root.")
_unit_dir = click.option(
    "--unit-dir", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where the unit lies.  [default: /etc/systemd/system, ~/.config/systemd/user]",
)  # fmt: skip


@click.command(short_help="Write a systemd unit for the daemon.")
@_user
@_unit_dir
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help=f"The daemon's configuration.  [default: {_CONFIG} where it exists]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the unit; write nothing.")
@click.option("--force", is_flag=True, help="Replace a unit that reconciler did not write.")
@click.pass_obj
def install(
    settings: Settings,
    /,
    *,
    user: bool,
    unit_dir: Path | None,
    config: Path | None,
    dry_run: bool,
    force: bool,
) -> None:
    """Write a hardened systemd unit that runs the daemon of this state directory, and say how to start and undo it."""
    from reconciler.daemon.options import Flags, resolve
    from reconciler.daemon.unit import Service, unit

    if config is None and not user and _CONFIG.is_file():
        config = _CONFIG
    if config is not None:
        config = config.expanduser().absolute()
        resolve(settings.state_dir, Flags(config=config))
    try:
        text = unit(Service(_own_command(), settings.state_dir, config, user))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if dry_run:
        click.echo(text, nl=False)
        return
    path = (unit_dir or _default_directory(user=user)) / NAME
    if path.exists() and not _is_ours(path) and not force:
        raise ConfigError(f"{path} was not written by reconciler: look at it, then use --force")
    _write(path, text)
    systemctl = f"systemctl{' --user' if user else ''}"
    click.echo(f"{path} written. To start it now and at each boot:")
    click.echo(f"  {systemctl} daemon-reload && {systemctl} enable --now {NAME}")
    if user:
        click.echo(f"  loginctl enable-linger {os.environ.get('USER', '')}".rstrip())
    click.echo("To undo it; workloads and state stay:")
    click.echo(
        f"  {systemctl} disable --now {NAME} && reconciler uninstall{' --user' if user else ''}"
    )


@click.command(short_help="Remove the systemd unit.")
@_user
@_unit_dir
def uninstall(*, user: bool, unit_dir: Path | None) -> None:
    """Remove the unit that `install` wrote. Workloads run on and the state directory stays."""
    path = (unit_dir or _default_directory(user=user)) / NAME
    if not path.exists():
        click.echo(f"{path}: there is none")
        return
    if not _is_ours(path):
        raise ConfigError(f"{path} was not written by reconciler: it stays")
    try:
        path.unlink()
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be removed: {error.strerror}") from error
    systemctl = f"systemctl{' --user' if user else ''}"
    click.echo(f"{path} removed: `{systemctl} daemon-reload` lets systemd know")
    click.echo("Workloads run on; `reconciler down` ends them.")


def _default_directory(*, user: bool) -> Path:
    if not user:
        return Path("/etc/systemd/system")
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "systemd" / "user"


def _own_command() -> tuple[str, ...]:
    """Return how this very program is started: its script where there is one, else the interpreter with the module."""
    script = Path(sys.argv[0]).absolute()
    if script.name == "reconciler" and os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-m", "reconciler")


def _is_ours(path: Path) -> bool:
    from reconciler.daemon.unit import MARK

    try:
        return path.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError as error:
        hint = ": be root, or use --user" if isinstance(error, PermissionError) else ""
        raise ReconcilerError(f"{path} cannot be written ({error.strerror}){hint}") from error
