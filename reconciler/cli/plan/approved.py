"""Plans of a daemon's Applications: asked for, kept in a file, and synced just so."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.api.requests import PlanRequest
from reconciler.cli import asking
from reconciler.cli.connection import connect
from reconciler.errors import Invalid, ReconcilerError
from reconciler.gitops.plan.approval import moved

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient

#: The daemon answers a request within this, in seconds, or a sync of something else holds it up.
ANSWER_SECONDS = 60.0
#: A plan's file is no larger than this, in bytes.
_LARGEST_FILE = 64 << 20
#: So many differences are told.
_TOLD = 20


async def planned(settings: Settings, app: str) -> dict[str, Any]:
    """Return what the daemon would do to sync an Application to what its source holds now.

    A source that cannot be read is told; then it is what was read last. Raises ``NotFound`` where there is no Application of
    that name.
    """
    async with connect(settings) as client:
        try:
            return await client.plan(app, PlanRequest(fresh=True))
        except Invalid as error:
            click.echo(f"warning: {error}; this is of what was read last", err=True)
            return await client.plan(app)


def write(path: Path, plan: dict[str, Any]) -> None:
    """Keep a plan for ``sync --plan`` (0600): whole or not at all. Raises ``ReconcilerError``."""
    try:
        handle, name = tempfile.mkstemp(prefix=".plan-", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(plan, file, indent=2)
        Path(name).replace(path)
    except OSError as error:
        raise ReconcilerError(f"cannot write {path}: {error.strerror}") from error


def read(path: Path) -> dict[str, Any]:
    """Return a plan that was kept. Raises ``ReconcilerError`` for anything else."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ReconcilerError(f"{path} is too large to be a plan")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReconcilerError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ReconcilerError(f"{path} is not a plan: {error}") from error
    texts = ("application", "approval", "revision")
    if (
        not isinstance(found, dict)
        or found.get("kind") != "Plan"
        or not all(isinstance(found.get(t), str) and found[t] for t in texts)
    ):
        raise ReconcilerError(
            f"{path} is not a plan: `reconciler plan --app NAME --out FILE` writes one"
        )
    return found


async def request(client: HttpClient, plan: dict[str, Any]) -> Object:
    """Ask for a sync of just this plan and return the Application when it is taken up.

    Raises ``ReconcilerError`` that says what has moved where the plan is stale.
    """
    name = plan["application"]
    now = await client.plan(name, PlanRequest(fresh=True))
    if now["approval"] != plan["approval"]:
        raise _stale(name, plan, now)
    try:
        return await asking.ask_sync(
            client, name, ANSWER_SECONDS, options=[], approved=plan["approval"]
        )
    except asking.Refused as refused:
        raise _stale(name, plan, await client.plan(name), str(refused)) from refused


def _stale(
    name: str, plan: dict[str, Any], now: dict[str, Any], message: str = ""
) -> ReconcilerError:
    told = moved(plan, now)
    for line in told[:_TOLD]:
        click.echo(line, err=True)
    if len(told) > _TOLD:
        click.echo(f"… and {len(told) - _TOLD} more", err=True)
    return ReconcilerError(
        message or f"the plan of {name} is stale, nothing was changed: plan anew and approve that"
    )
