"""``reconciler debug``: a container is added to a Pod that runs, to look at it from the inside."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from reconciler.api import kinds
from reconciler.api.client import PatchType
from reconciler.api.node import LogOptions
from reconciler.cli.connection import connect
from reconciler.cli.execute import session
from reconciler.cli.pods import pod_name
from reconciler.clock import SystemEntropy
from reconciler.errors import ApiError, ReconcilerError

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient

_MANAGER = "reconciler-debug"

#: What the container may, by the names that `kubectl debug` gives it.
PROFILES: dict[str, dict[str, Any]] = {
    "general": {"capabilities": {"add": ["SYS_PTRACE"]}},
    "baseline": {},
    "restricted": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "netadmin": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
    "sysadmin": {"privileged": True},
}

#: Runs until it is told to end, and says first by which number it is known in its Pod (``$$`` is a ``$`` in a command).
_WAITS = 'echo "$$$$"; trap "exit 0" TERM; sleep 2147483647 & wait'
_END = 'kill -TERM "$1"'

#: Reasons to wait that nothing but another container would end.
_HOPELESS = frozenset(
    {
        "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError",
        "CreateContainerError", "RunContainerError", "StartError",
    }
)  # fmt: skip


@click.command(
    short_help="Look at a Pod that runs from a container of its own.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("pod")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-c", "--container", default="", help="The new container's name.")
@click.option("--target", default="", help="The container whose processes it shall see.")
@click.option("--image", default="", help="Its image; the target's where none is named.")
@click.option("--env", multiple=True, metavar="KEY=VALUE", help="A variable of its environment.")
@click.option("--profile", type=click.Choice(list(PROFILES)), default="general", show_default=True)
@click.option("-i", "--stdin", is_flag=True, help="Pass standard input on.")
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    pod: str,
    arguments: tuple[str, ...],
    namespace: str,
    container: str,
    target: str,
    image: str,
    env: tuple[str, ...],
    profile: str,
    stdin: bool,
    tty: bool,
) -> None:
    """Add a container to a Pod that runs: `debug POD -it` opens a shell, `debug POD -- ss -tln` prints what that prints.

    It shares the Pod's network, host name and processes. It ends with its command, is never started again, and is shown
    by the Pod until that is gone.
    """
    if not arguments and not stdin:
        raise click.UsageError(
            "say what to run: `debug POD -- COMMAND`, or `debug POD -it` for a shell"
        )
    if tty and not stdin:
        raise click.UsageError("-i is needed for a terminal (-t)")
    variables = [_variable(text) for text in env]

    def made(obj: Object) -> dict[str, Any]:
        name = container or f"debugger-{SystemEntropy().suffix()}"
        wanted = ["/bin/sh", "-c", _WAITS] if stdin else list(arguments)
        found = debugger(obj, name, wanted, image=image, target=target, profile=profile)
        return {**found, **({"env": variables} if variables else {})}

    async def run() -> int:
        async with connect(settings) as client:
            name = await pod_name(client, pod, namespace)
            added = made(await client.get(kinds.POD, name, namespace))
            if not container:
                click.echo(f"Defaulting debug container name to {added['name']}.", err=True)
            await client.patch(
                kinds.POD, name, namespace, {"spec": {"ephemeralContainers": [added]}},
                type=PatchType.STRATEGIC, subresource="ephemeralcontainers", field_manager=_MANAGER,
            )  # fmt: skip
            await _state(client, namespace, name, added["name"], "running", "terminated")
            if stdin:
                return await _shell(
                    client, namespace, name, added["name"], arguments or ("/bin/sh",), tty=tty
                )
            return await _output(client, namespace, name, added["name"])

    raise SystemExit(asyncio.run(run()))


def debugger(
    pod: Object, name: str, command: list[str], *, image: str, target: str, profile: str
) -> dict[str, Any]:
    """Return the ephemeral container that looks at a Pod."""
    spec = pod["spec"]
    looked_at = next((c for c in spec["containers"] if c["name"] == target), spec["containers"][0])
    found: dict[str, Any] = {
        "name": name,
        "image": image or looked_at.get("image", ""),
        "command": command,
    }
    if target:
        found["targetContainerName"] = target
    if context := PROFILES[profile]:
        found["securityContext"] = context
    return found


def _variable(text: str) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--env")
    return {"name": name, "value": value}


def state_of(pod: Object, container: str) -> dict[str, Any]:
    """Return the state of an ephemeral container: ``running``, ``terminated`` or ``waiting``; {} before its first."""
    for one in (pod.get("status") or {}).get("ephemeralContainerStatuses") or ():
        if one["name"] == container:
            state: dict[str, Any] = one["state"]
            return state
    return {}


async def _state(
    client: HttpClient, namespace: str, pod: str, container: str, *wanted: str
) -> dict[str, Any]:
    """Wait for one of these states. Raises ``ReconcilerError`` where it will not come."""
    listed = await client.list(kinds.POD, namespace, fields=f"metadata.name={pod}")
    events = client.watch(
        kinds.POD, namespace, since=listed.resource_version, fields=f"metadata.name={pod}"
    )
    async with aclosing(events):
        seen: Object | None = listed.items[0] if listed.items else None
        while seen is not None:
            state = state_of(seen, container)
            if any(one in state for one in wanted):
                return state
            waiting = state.get("waiting") or {}
            if waiting.get("reason") in _HOPELESS:
                raise ReconcilerError(
                    f"{container}: {waiting['reason']}: {waiting.get('message') or 'it does not start'}"
                )
            if (seen.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                break
            event = await anext(events)
            seen = None if event.type == "DELETED" else event.object
    raise ReconcilerError(f"Pod {pod} has ended before {container} did")


async def _output(client: HttpClient, namespace: str, pod: str, container: str) -> int:
    """Print what a container prints; returns its exit code when it has ended."""
    async for piece in client.logs(namespace, pod, container, LogOptions(follow=True)):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    ended = await _state(client, namespace, pod, container, "terminated")
    return int(ended["terminated"]["exitCode"])


async def _shell(
    client: HttpClient,
    namespace: str,
    pod: str,
    container: str,
    arguments: tuple[str, ...],
    *,
    tty: bool,
) -> int:
    """Run a command in a container that waits for it, and end both."""
    number = b""
    async for piece in client.logs(namespace, pod, container, LogOptions(follow=True)):
        number += piece
        if b"\n" in number:
            break
    try:
        return await session(client, namespace, pod, container, arguments, stdin=True, tty=tty)
    finally:
        with contextlib.suppress(ApiError):  # the Pod is gone: so is all of it
            end = ("/bin/sh", "-c", _END, "sh", number.decode().strip())
            await session(client, namespace, pod, container, end)
