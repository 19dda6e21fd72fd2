"""The CRI's log format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.runtime.process.supervisor.logs import LIMIT, LogFile

if TYPE_CHECKING:
    from pathlib import Path


def lines(path: Path) -> list[tuple[str, str, str]]:
    found = []
    for line in path.read_text().splitlines():
        _, stream, tag, text = line.split(" ", 3)
        found.append((stream, tag, text))
    return found


def test_a_line_that_comes_in_pieces_is_one_line(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"))
    log.feed(b"stdout", b"one ")
    log.feed(b"stderr", b"other\n")
    log.feed(b"stdout", b"line\n\n")
    log.finish()
    assert lines(tmp_path / "log") == [
        ("stderr", "F", "other"),
        ("stdout", "F", "one line"),
        ("stdout", "F", ""),
    ]


def test_a_long_line_is_written_in_parts(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"))
    log.feed(b"stdout", b"x" * (LIMIT + 5))
    log.feed(b"stdout", b"y\n")
    log.finish()
    parts = [(tag, len(text)) for _, tag, text in lines(tmp_path / "log")]
    assert parts == [("P", LIMIT), ("F", 6)]


def test_a_renamed_log_is_started_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(str(path))
    log.feed(b"stdout", b"old\n")
    path.rename(tmp_path / "log.1")
    log.reopen()
    log.feed(b"stdout", b"new\n")
    log.finish()
    assert [text for _, _, text in lines(path)] == ["new"]
    assert [text for _, _, text in lines(tmp_path / "log.1")] == ["old"]


def test_a_flood_is_kept_within_bounds_by_its_writer(tmp_path: Path) -> None:
    """Whoever rotates logs looks every few seconds; a program can write gigabytes in that time."""
    path = tmp_path / "log"
    log = LogFile(str(path), largest=100_000)
    for number in range(1000):
        log.feed(b"stdout", b"%08d\n" % number * 100)
    log.finish()
    sizes = {p.name: p.stat().st_size for p in tmp_path.iterdir()}
    assert set(sizes) == {"log", "log.1", "log.2", "log.3", "log.4"}
    assert max(sizes.values()) < 110_000
    assert lines(path)[-1] == ("stdout", "F", "00000999")
    newest = lines(tmp_path / "log.1")
    assert int(newest[0][2]) > int(lines(tmp_path / "log.2")[0][2])
    assert lines(path)[0][2] in {
        newest[-1][2],
        f"{int(newest[-1][2]) + 1:08d}",
    }  # no line is lost between two
