"""``reconciler rollout``: show, wait for, undo, restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from reconciler.api import kinds
from reconciler.api.objects import annotations_of, copy
from reconciler.cli import names, tables
from reconciler.cli.connection import connect
from reconciler.cli.duration import parse_duration
from reconciler.clock import SystemClock, rfc3339
from reconciler.errors import ReconcilerError
from reconciler.gitops import health

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient

REVISION = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def _workload(what: tuple[str, ...]) -> names.Target:
    target = names.one(what)
    if target.kind not in (kinds.DEPLOYMENT, kinds.STATEFUL_SET, kinds.DAEMON_SET):
        raise click.UsageError(
            f"{target.kind.kind} has no rollouts: a Deployment, StatefulSet or DaemonSet has"
        )
    return target


@click.group(short_help="Show, undo or restart a rollout.")
def command() -> None:
    """Show, wait for, undo or restart the rollout of a Deployment, StatefulSet or DaemonSet."""


@command.command("status")
@click.argument("what", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--timeout", "limit", default="10m", show_default=True, metavar="DURATION")
@click.pass_obj
def status(settings: Settings, /, *, what: tuple[str, ...], namespace: str, limit: str) -> None:
    """Wait until the rollout is done; exit code 5 when it fails or takes too long."""
    target = _workload(what)
    code = asyncio.run(_status(settings, target, namespace, parse_duration(limit)))
    raise SystemExit(code)


async def _status(settings: Settings, target: names.Target, namespace: str, seconds: float) -> int:
    async with connect(settings) as client:
        loop = asyncio.get_running_loop()
        deadline, last = loop.time() + seconds, ""
        while True:
            obj = await client.get(target.kind, target.name, namespace)
            now = health.health(obj)
            if now.status == health.HEALTHY:
                click.echo(f'{target.kind.singular} "{target.name}" successfully rolled out')
                return 0
            if now.message != last:
                click.echo(f"Waiting for {target.kind.singular} {target.name}: {now.message}")
                last = now.message
            if now.status == health.DEGRADED or loop.time() > deadline:
                click.echo(f"error: {target.kind.singular} {target.name}: {now.message}", err=True)
                return 5
            await asyncio.sleep(0.2)


@command.command("history")
@click.argument("what", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.pass_obj
def history(settings: Settings, /, *, what: tuple[str, ...], namespace: str) -> None:
    """List the revisions that can be gone back to."""
    target = _workload(what)
    revisions = asyncio.run(_history(settings, target, namespace))
    rows = [["REVISION", "CHANGE-CAUSE"]]
    rows += [[str(n), annotations_of(o).get(CAUSE, "<none>")] for n, o, _ in revisions]
    click.echo(tables.aligned(rows))


async def _history(
    settings: Settings, target: names.Target, namespace: str
) -> list[tuple[int, Object, Any]]:
    async with connect(settings) as client:
        return await _revisions(client, await client.get(target.kind, target.name, namespace))


async def _revisions(client: HttpClient, obj: Object) -> list[tuple[int, Object, Any]]:
    """Return (number, object, Pod template) of every kept revision, oldest first."""
    meta = obj["metadata"]
    found: list[tuple[int, Object, Any]] = []
    kind = kinds.REPLICA_SET if obj["kind"] == "Deployment" else kinds.CONTROLLER_REVISION
    for item in (await client.list(kind, meta["namespace"])).items:
        owners = item["metadata"].get("ownerReferences") or ()
        if not any(r.get("uid") == meta["uid"] for r in owners):
            continue
        if kind is kinds.REPLICA_SET:
            number = int(annotations_of(item).get(REVISION, "0"))
            found.append((number, item, item["spec"]["template"]))
        else:
            found.append((int(item["revision"]), item, item["data"]["spec"]["template"]))
    return sorted(found, key=lambda r: r[0])


@command.command("undo")
@click.argument("what", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--to-revision", type=int, default=0, help="0: the one before.")
@click.pass_obj
def undo(settings: Settings, /, *, what: tuple[str, ...], namespace: str, to_revision: int) -> None:
    """Go back to an earlier revision. Where an Application wants another, it is put back."""
    target = _workload(what)
    asyncio.run(_undo(settings, target, namespace, to_revision))
    click.echo(f"{target.kind.singular}.{target.kind.group}/{target.name} rolled back")


async def _undo(settings: Settings, target: names.Target, namespace: str, number: int) -> None:
    async with connect(settings) as client:
        obj = await client.get(target.kind, target.name, namespace)
        revisions = await _revisions(client, obj)
        chosen = (
            [t for n, _, t in revisions if n == number]
            if number
            else [t for _, _, t in revisions[-2:-1]]
        )
        if not chosen:
            told = f"revision {number}" if number else "an earlier revision"
            raise ReconcilerError(f"{target.name} has no {told} to go back to")
        template = copy(chosen[0])
        template.pop("$patch", None)  # a ControllerRevision's data is a patch
        (template.get("metadata") or {}).get("labels", {}).pop("pod-template-hash", None)
        await client.update(
            {**obj, "spec": {**obj["spec"], "template": template}},
            field_manager="reconciler-rollout",
        )


@command.command("restart")
@click.argument("what", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.pass_obj
def restart(settings: Settings, /, *, what: tuple[str, ...], namespace: str) -> None:
    """Replace every Pod, as a rollout does."""
    target = _workload(what)
    asyncio.run(_restart(settings, target, namespace))
    click.echo(f"{target.kind.singular}.{target.kind.group}/{target.name} restarted")


async def _restart(settings: Settings, target: names.Target, namespace: str) -> None:
    async with connect(settings) as client:
        annotations = {RESTARTED: rfc3339(SystemClock().now())}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        await client.patch(
            target.kind, target.name, namespace, patch, field_manager="reconciler-rollout"
        )
