"""``reconciler top``: what nodes and Pods use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from reconciler.api import kinds, quantities
from reconciler.cli.connection import connect
from reconciler.cli.tables import aligned

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings

Object = dict[str, Any]

_UNMEASURED = "nothing has been measured yet: usage is known some seconds after a Pod has started"


@click.group(short_help="Show what nodes and Pods use.")
def command() -> None:
    """Show what nodes and Pods use: CPU in millicores over the last seconds, and the memory they hold now."""


@command.command()
@click.argument("name", required=False, default="")
@click.pass_obj
def nodes(settings: Settings, /, *, name: str) -> None:
    """Show what this machine uses, its other programs too."""
    asyncio.run(_nodes(settings, name))


@command.command()
@click.argument("name", required=False, default="")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("-l", "--selector", default="", metavar="LABELS")
@click.option("--containers", is_flag=True, help="A line for each container.")
@click.option("--sort-by", type=click.Choice(["cpu", "memory"]), help="The largest first.")
@click.pass_obj
def pods(
    settings: Settings,
    /,
    *,
    name: str,
    namespace: str,
    all_namespaces: bool,
    selector: str,
    containers: bool,
    sort_by: str | None,
) -> None:
    """Show what Pods use."""
    scope = None if all_namespaces else namespace
    asyncio.run(_pods(settings, name, scope, selector, containers=containers, sort_by=sort_by))


command.add_command(nodes, "node")
command.add_command(pods, "pod")


async def _nodes(settings: Settings, name: str) -> None:
    async with connect(settings) as client:
        found = {m["metadata"]["name"]: m for m in await client.usage("nodes")}
        known = (await client.list(kinds.NODE)).items
    rows = [["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]]
    for node in known:
        measured = found.get(node["metadata"]["name"])
        if measured is None or name not in ("", node["metadata"]["name"]):
            continue
        cpu, memory = _amounts(measured["usage"])
        whole_cpu, whole_memory = _amounts(node["status"]["allocatable"])
        rows.append(
            [
                node["metadata"]["name"],
                f"{cpu}m", f"{cpu * 100 // whole_cpu}%",
                _mebibytes(memory), f"{memory * 100 // whole_memory}%",
            ]
        )  # fmt: skip
    _show(rows)


async def _pods(
    settings: Settings,
    name: str,
    namespace: str | None,
    labels: str,
    *,
    containers: bool,
    sort_by: str | None,
) -> None:
    async with connect(settings) as client:
        if name:
            await client.get(kinds.POD, name, namespace or "")  # one that there is not, is an error
        elif not (await client.list(kinds.POD, namespace or "", labels=labels)).items:
            where = f" in {namespace} namespace" if namespace else ""
            click.echo(f"No resources found{where}.", err=True)
            return
        found = await client.usage("pods", namespace, labels)
    lines: list[tuple[list[str], int, int]] = []
    for metrics in found:
        meta = metrics["metadata"]
        if name not in ("", meta["name"]):
            continue
        head = [*([] if namespace else [meta["namespace"]]), meta["name"]]
        used = [(c["name"], *_amounts(c["usage"])) for c in metrics["containers"]]
        if containers:
            lines += [([*head, title], cpu, memory) for title, cpu, memory in used]
        else:
            lines.append((head, sum(u[1] for u in used), sum(u[2] for u in used)))
    if sort_by is not None:
        lines.sort(key=lambda line: line[1 if sort_by == "cpu" else 2], reverse=True)
    titles = [*([] if namespace else ["NAMESPACE"]), "POD" if containers else "NAME"]
    titles += ["NAME"] if containers else []
    rows = [[*titles, "CPU(cores)", "MEMORY(bytes)"]]
    rows += [[*head, f"{cpu}m", _mebibytes(memory)] for head, cpu, memory in lines]
    _show(rows)


def _show(rows: list[list[str]]) -> None:
    if len(rows) == 1:
        click.echo(_UNMEASURED, err=True)
        return
    click.echo(aligned(rows))


def _amounts(usage: Object) -> tuple[int, int]:
    """Return (millicores, bytes)."""
    return quantities.millicores(usage["cpu"]), quantities.size_bytes(usage["memory"])


def _mebibytes(size: int) -> str:
    return f"{size >> 20}Mi"
