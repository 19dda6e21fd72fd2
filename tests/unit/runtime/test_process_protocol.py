"""A daemon and a supervisor of different versions: they go on together, or the daemon says why not."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import ContainerConfig, Mount, Security
from reconciler.runtime.process import ProcessRuntime
from reconciler.runtime.process.connection import socket_path
from reconciler.runtime.process.supervisor.protocol import OURS, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

INFO = {
    "pid": 4711, "rootless": False, "pod_cidr": "10.1.0.0/16", "service_cidr": "10.2.0.0/16",
    "isolated": True, "problem": "",
}  # fmt: skip


@asynccontextmanager
async def supervisor(state: Path, **said: Any) -> AsyncIterator[list[str]]:
    """One of any version, that knows no more than ``info``. Yields the operations that it was asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = json.loads(line)
            asked.append(request["op"])
            answer = {"id": request["id"], "result": {**INFO, **said}, "fds": 0}
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    path = socket_path(state)
    path.parent.mkdir(parents=True)
    server = await asyncio.start_unix_server(serve, path)
    try:
        yield asked
    finally:
        server.close()


@pytest.mark.parametrize(
    "said",
    [
        {},  # from before there were numbers
        {"protocol": OURS.speaks, "oldest_protocol": OURS.oldest},
        {"protocol": OURS.speaks + 1, "oldest_protocol": OURS.speaks, "more": "than is known here"},
    ],
)
async def test_versions_that_know_a_number_in_common_go_on(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    async with supervisor(tmp_path, **said):
        runtime = ProcessRuntime(tmp_path, clock=SystemClock())
        await runtime.open()
        assert runtime.network.pod_cidr == "10.1.0.0/16"
        await runtime.close()


async def test_others_are_left_alone_and_the_user_is_told_what_to_do(tmp_path: Path) -> None:
    newer = OURS.speaks + 2
    async with supervisor(tmp_path, protocol=newer, oldest_protocol=newer - 1) as asked:
        runtime = ProcessRuntime(tmp_path, clock=SystemClock())
        with pytest.raises(RuntimeFailure) as told:
            await runtime.open()
    assert asked == ["info"]
    for part in ("pid 4711", f"{newer - 1} to {newer}", "run on untouched", "reconciler down"):
        assert part in str(told.value)


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (ContainerConfig("main", "app", security=Security(read_only_root=True)), "read_only_root"),
        (ContainerConfig("main", "app", security=Security(seccomp="RuntimeDefault")), "seccomp"),
        (
            ContainerConfig("main", "app", mounts=(Mount("/data", "/srv", sub_path="a"),)),
            "sub_path",
        ),
    ],
)
async def test_what_an_older_supervisor_would_leave_out_is_not_asked_of_it(
    tmp_path: Path, config: ContainerConfig, part: str
) -> None:
    async with supervisor(tmp_path, protocol=1, oldest_protocol=1) as asked:
        runtime = ProcessRuntime(tmp_path, clock=SystemClock())
        await runtime.open()
        plain = config._replace(command=("true",), mounts=(), security=Security(run_as_user=7))
        await runtime.create_container("box", plain)
        with pytest.raises(RuntimeFailure, match=f"would leave out {part}") as told:
            await runtime.create_container("box", config._replace(command=("true",)))
        assert told.value.reason == "CreateContainerError"
        assert await runtime.memory_directory("box", "/tmp", 0) is None
        await runtime.close()
    assert asked == ["info", "create"]


def test_either_side_may_be_the_older_one() -> None:
    assert Protocol(2, 1).understands(Protocol(4, 2))
    assert Protocol(4, 2).understands(Protocol(2, 1))
    assert not Protocol(2, 1).understands(Protocol(4, 3))
    assert not Protocol(4, 3).understands(Protocol(2, 1))
