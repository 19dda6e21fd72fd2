"""``reconciler status``: Applications, and the tree of what they made."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from reconciler.api import kinds
from reconciler.cli import output, tables
from reconciler.cli.connection import connect

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient

_MARKS = {"Healthy": "✔", "Progressing": "…", "Degraded": "✘", "Missing": "·", "Suspended": "⏸"}


@click.command(short_help="Show Applications and the tree of their objects.")
@click.argument("name", default="")
@click.option("-o", "--output", "form", type=click.Choice(["json"]))
@click.option("-w", "--watch", is_flag=True, help="Print again whenever it changes.")
@click.pass_obj
def command(settings: Settings, /, *, name: str, form: str | None, watch: bool) -> None:
    """Show Applications: revision, sync, health, and the tree of their objects and Pods."""
    asyncio.run(_status(settings, name, form, watch=watch))


async def _status(settings: Settings, name: str, form: str | None, *, watch: bool) -> None:
    async with connect(settings) as client:
        last = ""
        while True:
            details, apps = await client.details(), await _applications(client, name)
            if form == "json":
                shown = [output.without_managed_fields(a) for a in apps]
                text = json.dumps({**details, "applications": shown}, indent=2)
            else:
                text = "\n\n".join([_head(details), *[await _tree(client, a) for a in apps]])
            if text != last:
                click.echo(text)
                last = text
            if not watch:
                return
            await asyncio.sleep(0.5)


async def _applications(client: HttpClient, name: str) -> list[Object]:
    if name:
        return [await client.get(kinds.APPLICATION, name)]
    return (await client.list(kinds.APPLICATION)).items


def _head(details: dict[str, Any]) -> str:
    lines = [
        f"daemon {details['version']}, pid {details['pid']}, runtime {details['runtime']}, state {details['stateDir']}",
        f"ingress {details['ingress']['http'] or '(none)'} {details['ingress']['https']}".rstrip(),
    ]
    return "\n".join([*lines, *(f"problem: {p}" for p in details.get("problems") or ())])


async def _tree(client: HttpClient, app: Object) -> str:
    status = app.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    told = f"{health.get('status', 'Unknown')}"
    if health.get("message"):
        told += f": {health['message']}"
    name, revision = app["metadata"]["name"], sync.get("revision") or "no revision yet"
    lines = [f"{name}: {sync.get('status', 'Unknown')} at {revision}, {told}"]
    lines += [
        f"  {c['type']}: {line}"
        for c in status.get("conditions") or ()
        if c["status"] == "True"
        for line in c.get("message", "").splitlines()
    ]
    resources = status.get("resources") or ()
    spaces = {r.get("namespace", "") for r in resources} - {""}
    pods = [p for s in sorted(spaces) for p in (await client.list(kinds.POD, s)).items]
    for resource in resources:
        state = (resource.get("health") or {}).get("status", "")
        where = f"{resource['namespace']}/" if resource.get("namespace") else ""
        lines.append(
            f"  {_MARKS.get(state, '·')} {resource['kind']} {where}{resource['name']}  {state}"
        )
        lines += [f"      {line}" for line in _pods_of(resource, pods)]
    return "\n".join(lines)


def _pods_of(resource: dict[str, Any], pods: list[Object]) -> list[str]:
    """Return a line for each Pod of a workload, by the name of its controller."""
    kind, name = resource["kind"], resource["name"]
    found = []
    for pod in pods:
        refs = pod["metadata"].get("ownerReferences") or ()
        owner = next((r for r in refs if r.get("controller")), None)
        if owner is None or pod["metadata"]["namespace"] != resource.get("namespace"):
            continue
        stem = owner["name"].rpartition("-")[0]
        above = {"ReplicaSet": "Deployment", "Job": "CronJob"}.get(owner["kind"])
        if (kind, name) in ((above, stem), (owner["kind"], owner["name"])):
            address = (pod.get("status") or {}).get("podIP", "")
            found.append(
                f"Pod {pod['metadata']['name']}  {tables.pod_state(pod)}  {address}".rstrip()
            )
    return found
