"""Container logs on disk: when they are rotated, and which are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kubelet import logs

if TYPE_CHECKING:
    from pathlib import Path


def test_a_log_is_rotated_when_it_has_grown_too_large_or_was_deleted(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    assert logs.must_rotate(str(log))
    log.write_bytes(b"x")
    assert not logs.must_rotate(str(log))
    with log.open("r+b") as file:
        file.truncate(logs.LARGEST_LOG)
    assert logs.must_rotate(str(log))
    assert not logs.must_rotate("")
    assert not logs.must_rotate(str(log / "below-a-file"))


def test_the_newest_old_logs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    for number in range(logs.KEPT_LOGS + 3):
        log.write_text(str(number))
        logs.rotate(log)
    logs.rotate(log)  # its writer was slow to begin another: nothing is renamed over the newest
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    newest = logs.KEPT_LOGS + 2
    assert kept == {f"0.log.{n + 1}": str(newest - n) for n in range(logs.KEPT_LOGS)}
