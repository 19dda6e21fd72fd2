"""A process's own log is bounded, and nothing that is said is lost."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TALK = """
import sys
from pathlib import Path
from reconciler.runtime.process.supervisor import ownlog
for number in range(6000):
    print(number, "x" * 50, file=sys.stderr, flush=True)
    if number % 100 == 99:
        ownlog.keep_small(Path(sys.argv[1]), 64 * 1024)
"""


def talk(log: Path, output: Path) -> None:
    with output.open("ab") as file:
        subprocess.run([sys.executable, "-c", _TALK, str(log)], stderr=file, check=True)


def numbers(*files: Path) -> list[int]:
    return [int(line.split()[0]) for file in files for line in file.read_text().splitlines()]


def test_a_log_that_is_too_large_is_begun_anew_and_no_line_is_lost(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    talk(log, log)
    old = log.with_name("daemon.log.1")
    kept = numbers(old, log)
    assert kept == list(range(kept[0], 6000))
    assert len(kept) < 6000  # the first ones had to go
    assert log.stat().st_size + old.stat().st_size < 3 * 64 * 1024
    assert log.stat().st_mode & 0o777 == 0o600


def test_what_goes_elsewhere_is_left_alone(tmp_path: Path) -> None:
    log, output = tmp_path / "daemon.log", tmp_path / "journal"
    log.write_text("of before\n")
    talk(log, output)
    assert log.read_text() == "of before\n"
    assert numbers(output) == list(range(6000))
