"""Following an Application until it is healthy: live progress, and the culprit when it is not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from reconciler.api import kinds
from reconciler.api.node import LogOptions
from reconciler.errors import ApiError

if TYPE_CHECKING:
    from reconciler.client import HttpClient

Object = dict[str, Any]

#: How often the Application is looked at, in seconds.
LOOK_SECONDS = 0.1

_INVALID = ("InvalidManifests", "RenderError", "SourceError")
#: Conditions that are told where all is done nevertheless.
_NOTES = ("PruneHeld", "RolledBack", "RevisionPinned", "SourceError")
#: Conditions that nobody need wait for any longer.
_FAILED = {
    "AdoptionRefused", "SharedResource", "DependencyCycle", "InvalidPolicy", "SyncFailed", "NotHealthy",
    "RollbackFailed",
}  # fmt: skip
_MARKS = {"Healthy": "✔", "Progressing": "…", "Degraded": "✘", "Missing": "·"}


async def until_healthy(
    client: HttpClient, applied: Object, seconds: float, *, answered: bool = False
) -> int:
    """Print progress until Synced and Healthy; returns the exit code (0, 3 invalid, 5 out of time or Degraded).

    ``answered``: conditions are of what was just asked for, not perhaps of before; a failure then need not be waited out.
    """
    name = applied["metadata"]["name"]
    generation = applied["metadata"].get("generation", 1)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    shown: dict[str, str] = {}
    told: set[str] = set()
    app = applied
    while loop.time() < deadline:
        app = await client.get(kinds.APPLICATION, name)
        status = app.get("status") or {}
        if status.get("observedGeneration", 0) >= generation:
            _print_changes(status, shown)
            if _is_done(status, answered=answered):
                _print_notes(status)
                await print_urls(client, status)
                return 0
            invalid = _invalid(status, answered=answered)
            if invalid:
                click.echo(invalid, err=True)
                return 3
            if answered and _has_failed(status):
                break
            for line in troubles(status, told):
                click.echo(line, err=True)
        await asyncio.sleep(LOOK_SECONDS)
    await _explain(client, app)
    return 5


def _invalid(status: Object, *, answered: bool) -> str:
    """Return why what the source holds cannot be used; empty where that is not known, or is not what was asked for."""
    if _pin(status):
        return ""
    for condition in status.get("conditions") or ():
        # Where a request was taken up, something was read: the source is only not to be had since.
        stale = answered and condition["type"] == "SourceError"
        if condition["type"] in _INVALID and condition["status"] == "True" and not stale:
            return str(condition["message"])
    return ""


def _pin(status: Object) -> Object:
    """Return what is wanted in place of the source: a rollback, or another revision; empty for none."""
    return status.get("rollback") or status.get("pinned") or {}


def _is_done(status: Object, *, answered: bool) -> bool:
    """Whether all is applied and healthy; what waits for a user, or is rolled back to, is done too."""
    if (status.get("health") or {}).get("status") != "Healthy":
        return False
    if (status.get("sync") or {}).get("status") == "Synced":
        return True
    conditions = {c["type"] for c in status.get("conditions") or ()}
    ended = (status.get("operation") or {}).get("phase") == "Succeeded"
    if pin := _pin(status):
        return bool(pin.get("begun")) and ended and not conditions & _FAILED
    if answered and conditions and conditions <= {"SourceError", "PruneHeld"}:
        # Nothing newer can be had just now; what was asked for is done with what was read last.
        return ended
    return conditions == {"PruneHeld"}


def _has_failed(status: Object) -> bool:
    return any(c["type"] in _FAILED for c in status.get("conditions") or ())


def troubles(status: Object, told: set[str]) -> list[str]:
    """Return what holds an Application up and was not told yet: some of it only a user can end."""
    lines = [
        f"{c['type']}: {c.get('message', '')}"
        for c in status.get("conditions") or ()
        if c["type"] in _FAILED and c["status"] == "True"
    ]
    fresh = [line for line in lines if line not in told]
    told.update(fresh)
    return fresh


def _print_notes(status: Object) -> None:
    """Say what is left to a user."""
    for condition in status.get("conditions") or ():
        if condition["type"] in _NOTES:
            click.echo(f"{condition['type']}: {condition['message']}", err=True)


def _print_changes(status: Object, shown: dict[str, str]) -> None:
    """Print a line for every object whose state differs from the one shown last."""
    for resource in status.get("resources") or ():
        health = (resource.get("health") or {}).get("status") or resource.get("status") or ""
        where = f"{resource['namespace']}/" if resource.get("namespace") else ""
        title = f"{resource['kind']} {where}{resource['name']}"
        message = (resource.get("health") or {}).get("message") or ""
        text = f"{health}{': ' + message if message and health != 'Healthy' else ''}"
        if shown.get(title) != text:
            shown[title] = text
            click.echo(f"{_MARKS.get(health, '·')} {title:<48} {text}")


async def print_urls(client: HttpClient, status: Object) -> None:
    """Print where the Ingresses are reached."""
    if not any(r["kind"] == "Ingress" for r in status.get("resources") or ()):
        return
    details = await client.details()
    base = str(details["ingress"]["http"]).rstrip("/")
    hosts: list[str] = []
    for ingress in (await client.list(kinds.INGRESS)).items:
        hosts += [r.get("host", "") for r in (ingress.get("spec") or {}).get("rules") or ()]
    click.echo(f"\n{base}/")
    for host in sorted({h for h in hosts if h}):
        click.echo(f"  with the host name {host}")


async def _explain(client: HttpClient, app: Object) -> None:
    """Name the culprit: the object, its reason, its last log lines."""
    status = app.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    click.echo(
        f"{app['metadata']['name']} is not healthy: sync {sync.get('status', 'Unknown')}, "
        f"health {health.get('status', 'Unknown')} {health.get('message') or ''}".rstrip(),
        err=True,
    )
    for condition in status.get("conditions") or ():
        if condition["status"] == "True" and condition["type"] != "Synced":
            click.echo(f"  {condition['type']}: {condition.get('message', '')}", err=True)
    namespaces = {r.get("namespace") for r in status.get("resources") or ()} - {None, ""}
    for namespace in sorted(namespaces):
        for pod in (await client.list(kinds.POD, namespace)).items:
            await _explain_pod(client, pod)


async def _explain_pod(client: HttpClient, pod: Object) -> None:
    meta, status = pod["metadata"], pod.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    if conditions.get("Ready", {}).get("status") == "True":
        return
    click.echo(f"  Pod {meta['namespace']}/{meta['name']}: {status.get('phase')}", err=True)
    if conditions.get("PodScheduled", {}).get("status") == "False":
        click.echo(f"    not scheduled: {conditions['PodScheduled'].get('message')}", err=True)
    for container in [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]:
        state = container["state"].get("waiting") or container["state"].get("terminated")
        if state:
            click.echo(
                f"    {container['name']}: {state.get('reason')} {state.get('message') or ''}".rstrip(),
                err=True,
            )
        if not container.get("ready"):
            await _print_tail(client, meta["namespace"], meta["name"], container["name"])


async def _print_tail(client: HttpClient, namespace: str, pod: str, container: str) -> None:
    try:
        options = LogOptions(tail=5)
        async for line in client.logs(namespace, pod, container, options):
            click.echo(f"      | {line.decode('utf-8', 'replace').rstrip()}", err=True)
    except ApiError:
        return


async def for_ever(client: HttpClient, applied: Object) -> None:
    """Go on printing what changes, until cancelled."""
    name = applied["metadata"]["name"]
    shown: dict[str, str] = {}
    last = ""
    status = (await client.get(kinds.APPLICATION, name)).get("status") or {}
    for resource in status.get("resources") or ():
        _remember(resource, shown)
    click.echo("watching for changes; Ctrl-C stops everything")
    while True:
        status = (await client.get(kinds.APPLICATION, name)).get("status") or {}
        conditions = [c for c in status.get("conditions") or () if c["type"] in _INVALID]
        text = json.dumps(conditions)
        if text != last:
            last = text
            for condition in conditions:
                if condition["status"] == "True":
                    click.echo(condition["message"], err=True)
        _print_changes(status, shown)
        await asyncio.sleep(LOOK_SECONDS * 5)


def _remember(resource: Object, shown: dict[str, str]) -> None:
    health = (resource.get("health") or {}).get("status") or resource.get("status") or ""
    where = f"{resource['namespace']}/" if resource.get("namespace") else ""
    message = (resource.get("health") or {}).get("message") or ""
    text = f"{health}{': ' + message if message and health != 'Healthy' else ''}"
    shown[f"{resource['kind']} {where}{resource['name']}"] = text
