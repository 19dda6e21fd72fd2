"""The Application that ``up`` makes of a directory."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import click

from reconciler.api import kinds
from reconciler.cli.building import located, within_of
from reconciler.errors import NotFound, ReconcilerError, SourceError
from reconciler.gitops.source.selection import KUSTOMIZATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.client import HttpClient

FINALIZER = "reconciler.dev/resources-finalizer"


def name_of_directory(path: Path) -> str:
    """Return an object's name made of a folder's (``My App`` → ``my-app``)."""
    name = re.sub(r"[^a-z0-9-]+", "-", path.stem.lower() if path.is_file() else path.name.lower())
    return name.strip("-")[:63].strip("-") or "app"


def from_directory(
    path: Path, values: tuple[Path, ...], sets: tuple[str, ...], name: str = ""
) -> dict[str, Any]:
    """Return the Application of a directory, named after it. Raises ``SourceError`` for a path that is not there."""
    absolute = _there(path)
    source: dict[str, Any] = {"directory": {"path": str(absolute)}}
    within = within_of(absolute)
    if within is not None and any((absolute / name).is_file() for name in KUSTOMIZATIONS):
        source["directory"]["root"] = str(within)
    templates: dict[str, Any] = {}
    if values:
        templates["values"] = [str(_there(v)) for v in values]
    if sets:
        templates["set"] = dict(_pair(text) for text in sets)
    if templates:
        source = located({**source, "templates": templates}, absolute)
    return {
        "apiVersion": "reconciler.dev/v1",
        "kind": "Application",
        "metadata": {"name": name or name_of_directory(absolute), "finalizers": [FINALIZER]},
        "spec": {
            "source": source,
            "destination": {"namespace": "default"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


def _there(path: Path) -> Path:
    absolute = path.resolve()
    if not absolute.exists():
        raise SourceError(f"{path}: no such file or directory")
    if not os.access(absolute, os.R_OK | (os.X_OK if absolute.is_dir() else 0)):
        raise SourceError(f"{path}: permission denied")
    return absolute


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--set {text}: expected KEY=VALUE")
    return key, value


def check(path: Path, wanted: dict[str, Any]) -> None:
    """Validate everything before anything is started; print what is wrong and exit 3."""
    from reconciler.cli.validate import validate_path

    source = wanted["spec"]["source"]
    templates = source.get("templates") or {}
    values = [str(path.resolve() / name) for name in templates.get("values") or ()]
    findings = validate_path(path, values, templates.get("set") or {})
    errors = [f for f in findings if f.severity == "error"]
    for finding in findings:
        click.echo(finding.text(), err=True)
    if errors:
        counted = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        click.echo(f"{counted}: nothing was started or changed", err=True)
        raise SystemExit(3)


def _directory(app: dict[str, Any]) -> str:
    source = (app.get("spec") or {}).get("source") or {}
    return str((source.get("directory") or {}).get("path", ""))


async def apply(client: HttpClient, wanted: dict[str, Any]) -> dict[str, Any]:
    """Apply the Application. Raises ``ReconcilerError`` when one of that name follows another directory."""
    name = wanted["metadata"]["name"]
    try:
        present = await client.get(kinds.APPLICATION, name)
    except NotFound:
        present = wanted
    here, there = (_directory(a) for a in (wanted, present))
    if here != there:
        # To follow another directory would prune what the first one made.
        raise ReconcilerError(
            f"an Application named {name} already follows {there}: give this one another name with --name"
        )
    return await client.apply(wanted, field_manager="reconciler-up", force=True)
