"""Standard input of ``exec``: a file, nothing, a pipe."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
import asyncio
from reconciler.cli import execute
class Running:
    async def write(self, data):
        print(data)
asyncio.run(execute._send(Running()))
"""


@pytest.mark.parametrize("how", ["file", "nothing", "pipe"])
def test_standard_input_is_passed_on_whatever_it_is(how: str, tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"hello")
    argv = [sys.executable, "-c", CODE]
    if how == "pipe":
        done = subprocess.run(argv, input=b"hello", capture_output=True, check=True)
    else:
        with (file if how == "file" else file.parent / "/dev/null").open("rb") as source:
            done = subprocess.run(argv, stdin=source, capture_output=True, check=True)
    told = done.stdout.decode().splitlines()
    assert told == (["b''"] if how == "nothing" else ["b'hello'", "b''"])
    assert done.stderr == b""
