"""Who is killed of what was found in /proc: never a process that has the number of one that ended meanwhile."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.runtime.process.supervisor import members, records, remains
from reconciler.runtime.process.supervisor.loopback import LoopbackNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_process_that_took_the_number_of_a_member_is_not_killed(
    other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a member when it was found; when it is held the number is another's."""
    answers = iter([True, False])
    monkeypatch.setattr(
        members, "_membership", lambda *_: lambda pid: pid == other.pid and next(answers, False)
    )
    members.kill_all({}, {})
    assert next(answers, None) is None
    assert other.poll() is None


def test_a_process_that_took_the_number_of_a_lost_one_is_not_killed(
    other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True, False])  # no holder, then a container's, then another's
    monkeypatch.setattr(
        remains, "_is_marked", lambda pid, _: pid == other.pid and next(answers, False)
    )
    remains.end("origin", {"sandbox"})
    assert next(answers, None) is None
    assert other.poll() is None


def test_a_member_is_killed_and_one_that_has_ended_is_none(other: subprocess.Popen[bytes]) -> None:
    assert records.kill(other.pid, lambda _: True)
    other.wait()
    assert not records.kill(other.pid, lambda _: True)


def test_the_end_of_a_network_spares_whoever_has_its_holder_s_number(
    other: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    network = LoopbackNetwork(tmp_path / "node.json", "10.244.0.0/16", "10.96.0.0/16", "a test")
    holder, record = network.holder, records.read(tmp_path / "node.json")
    records.write(
        tmp_path / "node.json",
        record | {"holder": records.identity(other.pid) | {"start": record["holder"]["start"] + 1}},
    )
    network.end()
    assert other.poll() is None
    records.write(tmp_path / "node.json", record)
    network.end()
    os.waitpid(holder, 0)
    network.end()  # it is gone: nothing to be done
