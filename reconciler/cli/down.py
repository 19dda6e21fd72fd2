"""``reconciler down``: stop what ``up`` started."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

import click

from reconciler.errors import NotFound, ReconcilerError

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient

#: How long workloads may take to end, in seconds: beyond the longest usual grace.
END_SECONDS = 120.0
LOOK_SECONDS = 0.1


@click.command(short_help="Stop what `up` started.")
@click.option("--volumes", is_flag=True, help="Delete the data of the volumes too.")
@click.pass_obj
def command(settings: Settings, /, *, volumes: bool) -> None:
    """Stop what `up` started: its workloads, then the daemon. Data in volumes stays unless --volumes is given."""
    from reconciler.cli import background

    if not background.is_running(settings.state_dir):
        if not (settings.state_dir / "cluster.db").exists():
            click.echo(f"nothing runs on {settings.state_dir}")
            return
        # Workloads may have outlived their daemon: only one of them can end those.
        from reconciler.daemon.options import Flags, resolve

        flags = Flags(runtime=settings.runtime, http_port=0, https_port=0)
        background.ensure(settings, resolve(settings.state_dir, flags))
    pid = background.daemon_pid(settings.state_dir)
    asyncio.run(take_down(settings, volumes=volumes))
    if pid:
        asyncio.run(_gone(pid))


async def take_down(settings: Settings, *, volumes: bool) -> None:
    """Delete every Application with what it made, wait until no Pod is left, then end the daemon."""
    from reconciler.api import kinds
    from reconciler.api.objects import name_of
    from reconciler.cli.connection import connect

    async with connect(settings) as client:
        await client.stop_serving()
        apps = (await client.list(kinds.APPLICATION)).items
        # All are told before the first one goes: it would keep what another declares, too.
        for app in apps:
            with contextlib.suppress(NotFound):
                patch = _with_all(app, volumes=volumes)
                await client.patch(kinds.APPLICATION, name_of(app), "", patch)
        for app in apps:
            with contextlib.suppress(NotFound):
                await client.delete(kinds.APPLICATION, name_of(app))
        await _until_empty(client, volumes=volumes)
        await client.shutdown()


def _with_all(app: Object, *, volumes: bool) -> Object:
    """Return the patch that lets an Application's deletion take what it made, which otherwise runs on."""
    from reconciler.gitops.engine.deletion import DELETE_VOLUMES, FINALIZER, TAKEN_DOWN

    patch: Object = {"metadata": {"annotations": {TAKEN_DOWN: "true"}}}
    held = app["metadata"].get("finalizers") or []
    if FINALIZER not in held and not app["metadata"].get("deletionTimestamp"):
        patch["metadata"]["finalizers"] = [*held, FINALIZER]
    if volumes:
        patch["metadata"]["annotations"][DELETE_VOLUMES] = "true"
    return patch


async def _until_empty(client: HttpClient, *, volumes: bool) -> None:
    from reconciler.api import kinds

    loop = asyncio.get_running_loop()
    deadline = loop.time() + END_SECONDS
    watched = [kinds.APPLICATION, kinds.POD]
    if volumes:
        watched += [kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME]
    while True:
        left = [
            f"{kind.kind} {obj['metadata']['name']}"
            for kind in watched
            for obj in (await client.list(kind)).items
            if kind in watched[:2] or obj["metadata"].get("deletionTimestamp")
        ]
        if not left:
            return
        if loop.time() > deadline:
            raise ReconcilerError(f"not gone after {END_SECONDS:g} s: {', '.join(left[:5])}")
        await asyncio.sleep(LOOK_SECONDS)


async def _gone(pid: int) -> None:
    """Wait for the daemon's process to end."""
    for _ in range(int(END_SECONDS / LOOK_SECONDS)):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            return
        if _is_zombie(pid):
            return
        await asyncio.sleep(LOOK_SECONDS)


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[:1] == [b"Z"]
    except OSError:
        return True
