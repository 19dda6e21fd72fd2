"""What a user asks of ``validate``: by options, and by the ``reconciler.yaml`` that lies beside the manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.errors import BadRequest, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.config import Validate
    from reconciler.gitops.validate import Asked, Checks

FILE = "reconciler.yaml"


def checks_for(
    paths: Sequence[str], config: Path | None, asked: Asked, state_dir: Path | None
) -> Checks:
    """Return what is checked: options over the file. Raises ``UsageError``, or ``ConfigError`` where the file is to blame."""
    from reconciler.gitops.validate import Asked, checks_of
    from reconciler.gitops.validate.locations import is_remote

    path = config or _beside(paths)
    if any(is_remote(text) for text in asked.schema_locations):
        from reconciler.cli.validate.fetching import Fetched

        fetched = Fetched(state_dir / "schemas" if state_dir is not None else None)
        asked = asked._replace(fetch=fetched.fetch, kept=fetched.stamp())
    if path is not None:
        from reconciler.config import load

        said = load(path).validate
        given = Asked(**said.asked())
        try:
            checks_of(given)
        except BadRequest as error:
            raise ConfigError(f"{path}: validate: {error}") from error
        if config is None:
            _stays_inside(path, said)
        asked = asked.over(given)
    try:
        return checks_of(asked)
    except BadRequest as error:
        raise click.UsageError(str(error)) from error


def _beside(paths: Sequence[str]) -> Path | None:
    """Return the configuration of what is checked: of its directory, or of one above it in the same checkout.

    Raises ``ConfigError`` where two paths have each their own.
    """
    found = dict.fromkeys(file for text in paths if (file := _above(Path(text))) is not None)
    if len(found) > 1:
        one, other = list(found)[:2]
        raise ConfigError(f"both {one} and {other} say what to check: name one with --config")
    return next(iter(found), None)


def _above(path: Path) -> Path | None:
    """Return the file of a path's directory or, inside a checkout only, of the nearest one above: others' are not asked."""
    start = Path.cwd() if str(path) == "-" else path.absolute()
    base = start if start.is_dir() else start.parent
    own = found = _named(base)
    for folder in (base, *base.parents):
        found = found or _named(folder)
        if (folder / ".git").exists():
            return found
    return own


def _named(folder: Path) -> Path | None:
    file, here = folder / FILE, Path.cwd()
    if not file.is_file():
        return None
    return file.relative_to(here) if file.is_relative_to(here) else file


def _stays_inside(path: Path, said: Validate) -> None:
    """Refuse what leads out of the directory of a file that nobody named: manifests may be a stranger's."""
    root = path.absolute().parent.resolve()
    for text in said.schema_locations:
        fixed = Path(text.partition("{{")[0])
        if text != "default" and not fixed.resolve().is_relative_to(root):
            raise ConfigError(
                f"{path}: validate.schemaLocations: {text} lies outside of {root}: "
                "name this file with --config if you trust it"
            )


def levels(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read ``RULE=SEVERITY``."""
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f'expected RULE=SEVERITY, got "{value}"', ctx, param)
    return tuple((v.partition("=")[0], v.partition("=")[2]) for v in values)
