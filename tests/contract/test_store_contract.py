"""One suite over every Store; what sqlite promises beyond memory comes after it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.errors import StoreError
from reconciler.store.memory import MemoryStore
from reconciler.store.protocol import Record, Store
from reconciler.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "cluster.db")


async def test_what_is_appended_is_read_back(store: Store) -> None:
    empty = await store.open()
    assert empty.records == []
    assert empty.revision == 0
    await store.append([Record(1, "/a", b"1"), Record(2, "/b", b"2")])
    await store.append([Record(3, "/a", b"3"), Record(4, "/b", None)])
    assert [r.revision for r in await store.since(0)] == [1, 2, 3, 4]
    assert await store.since(3) == [Record(4, "/b", None)]
    await store.close()
    again = await store.open()
    assert [(r.key, r.value) for r in again.records] == [("/a", b"3")]
    assert again.revision == 4
    await store.close()


async def test_what_is_compacted_cannot_be_asked_for(store: Store) -> None:
    """W03."""
    await store.open()
    await store.append([Record(n, "/a", str(n).encode()) for n in range(1, 6)])
    await store.compact(3)
    assert [r.revision for r in await store.since(3)] == [4, 5]
    with pytest.raises(StoreError, match="compacted"):
        await store.since(1)
    await store.close()
    again = await store.open()
    assert [(r.key, r.value) for r in again.records] == [("/a", b"5")]
    await store.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from reconciler.store.protocol import Record
from reconciler.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    for number in range(1, 1_000_000):
        await store.append([Record(number, f"/{number % 50}", b"x" * 200)])
        print(number, flush=True)

asyncio.run(main())
"""


async def test_an_acknowledged_write_survives_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "cluster.db"
    root = Path(__file__).parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert writer.stdout is not None
    last = 0
    for line in writer.stdout:
        last = int(line)
        if last >= 200:
            writer.send_signal(signal.SIGKILL)
            break
    rest = writer.stdout.read().split()
    writer.wait()
    last = int(rest[-1]) if rest else last
    store = SqliteStore(path)
    contents = await store.open()
    assert contents.revision >= last
    await store.close()


async def test_the_file_is_private(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "cluster.db")
    await store.open()
    await store.append([Record(1, "/a", b"1")])
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    await store.close()


@pytest.mark.parametrize("what", ["newer", "foreign", "garbage"])
async def test_what_is_not_ours_is_refused_and_left_alone(tmp_path: Path, what: str) -> None:
    path = tmp_path / "cluster.db"
    if what == "garbage":
        path.write_bytes(b"this is no database at all" * 100)
    else:
        store = SqliteStore(path)
        await store.open()
        await store.close()
        connection = sqlite3.connect(path)
        connection.execute(
            "PRAGMA user_version = 99" if what == "newer" else "PRAGMA application_id = 7"
        )
        connection.commit()
        connection.close()
    before = path.read_bytes()
    refused = SqliteStore(path)
    with pytest.raises(StoreError, match=str(path)):
        await refused.open()
    assert path.read_bytes() == before


async def test_a_backup_is_a_store(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "cluster.db")
    await store.open()
    await store.append([Record(1, "/a", b"1")])
    await store.backup(tmp_path / "copy.db")
    await store.append([Record(2, "/a", b"2")])
    copy = SqliteStore(tmp_path / "copy.db")
    contents = await copy.open()
    assert [r.value for r in contents.records] == [b"1"]
    await copy.close()
    await store.close()


async def test_a_check_writes_and_changes_nothing(store: Store) -> None:
    await store.open()
    await store.append([Record(1, "/a", b"1")])
    await store.check()
    await store.check()
    assert await store.since(0) == [Record(1, "/a", b"1")]
    assert store.size() >= 0


async def test_a_store_that_refuses_writes_is_found_by_a_check(tmp_path: Path) -> None:
    """SQLite is told what it finds out when a file system has become read-only."""
    store = SqliteStore(tmp_path / "cluster.db")
    await store.open()
    await store.check()
    await store._call(lambda db: db.execute("PRAGMA query_only = 1"))
    with pytest.raises(StoreError, match="readonly"):
        await store.check()
    assert store.size() > 0
    await store.close()
