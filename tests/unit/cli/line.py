"""The command line as a whole, within this process."""

from __future__ import annotations

import contextlib
import io
from typing import NamedTuple

import pytest

from reconciler.cli.main import main


class Done(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def reconciler(*arguments: str) -> Done:
    """Run it, errors told and turned into exit codes as for a user."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as done,
    ):
        main(list(arguments))
    assert isinstance(done.value.code, int)
    return Done(done.value.code, out.getvalue(), err.getvalue())
