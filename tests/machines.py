"""Fixtures of what really runs: a machine as who runs the tests, and as nobody."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import NOBODY, ROOT, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a ``reconciler`` that an ordinary user can run: installed from this checkout for the system's Python."""
    system = Path("/usr/bin/python3")
    if not system.exists():
        pytest.skip("no /usr/bin/python3 that an ordinary user could run")
    where = (
        Path("/tmp") / f"reconciler-e2e-{os.getpid()}"
    )  # pytest's own folders are closed to others
    environment = where / "env"
    source = where / "source"
    where.mkdir()
    where.chmod(0o755)
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(".git", ".venv", ".mypy_cache", ".*_cache", "__pycache__"),
    )
    for step in (
        [str(system), "-m", "venv", str(environment)],
        [
            str(environment / "bin/pip"),
            "install",
            "-q",
            "-c",
            str(source / "requirements.lock"),
            str(source),
        ],
    ):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(where)
            pytest.skip(
                f"no environment for an ordinary user: {(done.stderr or done.stdout).strip()[-200:]}"
            )
    subprocess.run(["chmod", "-R", "a+rX", str(where)], check=True)
    return [str(environment / "bin/reconciler")]


@contextlib.contextmanager
def _made(request: pytest.FixtureRequest, name: str) -> Iterator[Machine]:
    user: int | None = None
    command = [str(Path(sys.executable).parent / "reconciler")]
    if request.param == "nobody":
        if os.geteuid() != 0:
            pytest.skip("the tests run as an ordinary user already")
        command = request.getfixturevalue("ordinary")
        user = NOBODY
    work = Path("/tmp") / f"rc-{os.getpid()}-{abs(hash(name)) % 10**8}"
    work.mkdir()
    if user is not None:
        os.chown(work, user, user)
    result = Machine(command, work / "state", work, user)
    yield result
    result.close()
    shutil.rmtree(work, ignore_errors=True)


@pytest.fixture(params=["self", "nobody"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine for one test: as who runs the tests, and where that is root as nobody too."""
    with _made(request, request.node.nodeid) as made:
        yield made


@pytest.fixture(scope="module", params=["self", "nobody"])
def shared_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine for the tests of a module that only look at what runs, or leave it as it was."""
    with _made(request, f"{request.node.nodeid} {request.param}") as made:
        yield made
