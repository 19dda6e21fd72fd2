"""What is said between a daemon and its supervisor when both have much to say: nobody waits for the other, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import TYPE_CHECKING, Any

from reconciler.runtime.process.connection import Connection, socket_path
from reconciler.runtime.process.supervisor import peer
from reconciler.runtime.process.supervisor.peer import Peer

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MUCH = 4000


def _read(sock: socket.socket, supervisor: Peer) -> tuple[list[dict[str, Any]], list[int]]:
    """Read as a daemon until nothing more comes, letting the supervisor write on."""
    data = b""
    fds: list[int] = []
    while True:
        try:
            piece, more, _, _ = socket.recv_fds(sock, 65536, 64)
        except BlockingIOError:
            if not supervisor.wants_to_write:
                return [json.loads(line) for line in data.splitlines()], fds
            supervisor.flush()
            continue
        data += piece
        fds += more


def test_a_supervisor_says_more_than_a_daemon_reads_and_goes_on(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    supervisor = Peer(far)
    for number in range(MUCH):
        along = [os.open(tmp_path, os.O_RDONLY)] if number % 1000 == 0 else None
        supervisor.send({"id": number, "text": "x" * 500}, along)
    assert supervisor.wants_to_write
    messages, fds = _read(near, supervisor)
    assert [m["id"] for m in messages] == list(range(MUCH))
    assert [os.fstat(fd).st_ino for fd in fds] == [tmp_path.stat().st_ino] * 4
    for fd in fds:
        os.close(fd)
    near.close()
    supervisor.close()


def test_a_daemon_that_never_reads_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "LONGEST_OUTBOX", 1 << 20)
    near, far = socket.socketpair()
    supervisor = Peer(far)
    for number in range(MUCH):
        supervisor.send({"id": number, "text": "x" * 500})
    assert not supervisor.wants_to_write
    near.setblocking(True)
    while near.recv(65536):
        pass
    near.close()
    supervisor.close()


async def test_a_daemon_asks_more_than_a_busy_supervisor_reads_and_goes_on(tmp_path: Path) -> None:
    free = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await free.wait()
        while line := await reader.readline():
            request = json.loads(line)
            reply = {"id": request["id"], "result": request["text"]}
            writer.write(json.dumps(reply).encode() + b"\n")
        writer.close()

    path = socket_path(tmp_path)
    path.parent.mkdir(parents=True)
    server = await asyncio.start_unix_server(answer, path)
    connection = Connection(tmp_path, (), lambda _: None)
    asked = [
        asyncio.create_task(connection.call("echo", text=f"{number} {'x' * 500}"))
        for number in range(MUCH)
    ]
    await asyncio.sleep(0)
    free.set()  # reached only if nobody blocks
    answers = await asyncio.gather(*asked)
    assert [int(a.split()[0]) for a in answers] == list(range(MUCH))
    connection.close()
    server.close()
    await server.wait_closed()
