"""``reconciler exec``: run a command in a container."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import sys
import termios
import tty as terminal
from typing import TYPE_CHECKING

import click

from reconciler.cli.connection import connect
from reconciler.cli.pods import pod_name, say_default

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from reconciler.api.node import ExecStream
    from reconciler.cli.settings import Settings
    from reconciler.client import HttpClient


@click.command(
    short_help="Run a command in a container.", context_settings={"ignore_unknown_options": True}
)
@click.argument("pod")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND…")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-c", "--container", default="")
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
    stdin: bool,
    tty: bool,
) -> None:
    """Run a command in a container: `exec POD -- ls /`. Its exit code is the command's."""
    code = asyncio.run(_exec(settings, pod, namespace, container, arguments, stdin=stdin, tty=tty))
    raise SystemExit(code)


async def _exec(
    settings: Settings,
    pod: str,
    namespace: str,
    container: str,
    arguments: tuple[str, ...],
    *,
    stdin: bool,
    tty: bool,
) -> int:
    async with connect(settings) as client:
        name = await pod_name(client, pod, namespace)
        if not container:
            await say_default(client, name, namespace)
        return await session(client, namespace, name, container, arguments, stdin=stdin, tty=tty)


async def session(
    client: HttpClient,
    namespace: str,
    pod: str,
    container: str,
    arguments: tuple[str, ...],
    *,
    stdin: bool = False,
    tty: bool = False,
) -> int:
    """Run a command in a container on this terminal; returns its exit code. Raises ``ApiError``."""
    running = await client.exec(namespace, pod, container, arguments, stdin=stdin, tty=tty)
    with _raw_terminal() if tty and sys.stdin.isatty() else contextlib.nullcontext():
        following = asyncio.create_task(_follow_size(running)) if tty else None
        sending = asyncio.create_task(_send(running)) if stdin else None
        async for channel, data in running.output():
            stream = sys.stdout.buffer if channel == 1 else sys.stderr.buffer
            stream.write(data)
            stream.flush()
        for task in (sending, following):
            if task is not None:
                task.cancel()
        code = await running.wait()
    await running.close()
    return code


async def _follow_size(running: ExecStream) -> None:
    """Tell a command's terminal the size of this one, now and whenever it changes."""
    changed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, changed.set)
    while True:
        changed.clear()
        size = shutil.get_terminal_size()
        await running.resize(size.lines, size.columns)
        await changed.wait()


async def _send(running: ExecStream) -> None:
    """Pass standard input on until it ends."""
    async for data in _input():
        await running.write(data)
    await running.write(b"")


async def _input() -> AsyncIterator[bytes]:
    """Yield standard input as it comes."""
    source = sys.stdin.buffer
    mode = os.fstat(source.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or source.isatty()):
        # A file never blocks, and an event loop cannot wait for one (nor for /dev/null).
        while data := source.read(64 * 1024):
            yield data
        return
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    while data := await reader.read(64 * 1024):
        yield data


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Pass every key on as it is, and put the terminal back afterwards."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    terminal.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        os.write(1, b"\r")
