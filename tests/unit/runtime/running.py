"""Containers of the process runtime for tests: one Pod, one shell script, its log."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import (
    ContainerConfig,
    ContainerState,
    ContainerStatus,
    DNSConfig,
    HostAlias,
    SandboxConfig,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.runtime.process import ProcessRuntime


async def opened(made: ProcessRuntime) -> AsyncIterator[ProcessRuntime]:
    """Open a runtime for a test and end everything of it afterwards."""
    try:
        await made.open()
    except RuntimeFailure as failure:
        pytest.skip(f"no process runtime here: {failure}")
    yield made
    for one in await made.pods():
        await made.remove_pod_sandbox(one.id)
    await made.shutdown()


def pod(tmp_path: Path, uid: str = "u1") -> SandboxConfig:
    return SandboxConfig(
        "default",
        "web",
        uid,
        hostname="web",
        log_directory=str(tmp_path / "logs" / uid),
        dns=DNSConfig(("10.96.0.10",), ("default.svc.cluster.local",), ("ndots:5",)),
        host_aliases=(HostAlias("192.0.2.7", ("legacy",)),),
    )


def shell(script: str, **more: Any) -> ContainerConfig:
    config = ContainerConfig("main", "image", command=("sh", "-c", script), log_path="main/0.log")
    return config._replace(**more)


async def ended(runtime: ProcessRuntime, container: str) -> ContainerStatus:
    async with asyncio.timeout(20):
        while True:
            found = {c.id: c for c in await runtime.containers()}[container]
            if found.state is ContainerState.EXITED:
                return found
            await asyncio.sleep(0.01)


async def run(runtime: ProcessRuntime, tmp_path: Path, config: ContainerConfig) -> str:
    sandbox = await runtime.run_pod_sandbox(pod(tmp_path))
    container = await runtime.create_container(sandbox.id, config)
    await runtime.start_container(container)
    return container


def log(tmp_path: Path) -> list[list[str]]:
    text = (tmp_path / "logs/u1/main/0.log").read_text()
    return [line.split(" ", 3)[1:] for line in text.splitlines()]


def running(*command: str) -> list[int]:
    """Return the pids, as the host has them, of the processes that run exactly this."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_bytes() == b"".join(p.encode() + b"\0" for p in command):
                found.append(int(entry.name))
    return found


async def said(runtime: ProcessRuntime, tmp_path: Path, script: str, **more: Any) -> list[str]:
    """Run a script to its end and return the lines of its output."""
    await ended(runtime, await run(runtime, tmp_path, shell(script, **more)))
    return [line[2] for line in log(tmp_path)]
