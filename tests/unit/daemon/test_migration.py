"""State directories of other versions: older ones are brought up step by step, newer ones are left alone.

``frozen`` writes a directory as version 0.1.0 did, with code of its own: whatever becomes of the store, this must open.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from reconciler.api import kinds
from reconciler.clock import SeededEntropy, SystemClock
from reconciler.daemon import migration
from reconciler.daemon.backup import check
from reconciler.daemon.migration import format_of, migrate, write_format
from reconciler.errors import ConfigError, StoreError
from reconciler.registry import Registry
from reconciler.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = SystemClock()


def frozen(state_dir: Path) -> Path:
    """Write a state directory of format 1, which had no file that said so."""
    state_dir.mkdir(mode=0o700)
    for name in ("volumes", "pods", "sources"):
        (state_dir / name).mkdir(mode=0o700)
    db = sqlite3.connect(state_dir / "cluster.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(
        "CREATE TABLE revisions (revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB,"
        " PRIMARY KEY (revision, key)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX revisions_by_key ON revisions (key, revision DESC)")
    db.execute("CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
    db.execute("PRAGMA application_id = 1919118385")
    db.execute("PRAGMA user_version = 1")
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "greeting", "namespace": "default", "resourceVersion": "7",
            "uid": "11111111-2222-4333-8444-555555555555",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "data": {"text": "hello"},
    }  # fmt: skip
    key = "//ConfigMap/default/greeting"
    db.execute("INSERT INTO revisions VALUES (6, ?, NULL)", (key,))
    db.execute("INSERT INTO revisions VALUES (7, ?, ?)", (key, json.dumps(obj).encode()))
    db.close()
    return state_dir


async def test_a_directory_of_the_first_format_opens(tmp_path: Path) -> None:
    state_dir = frozen(tmp_path / "state")
    migrate(state_dir, CLOCK)
    assert format_of(state_dir) == migration.FORMAT
    registry = Registry(SqliteStore(state_dir / "cluster.db"), clock=CLOCK, entropy=SeededEntropy())
    await registry.start()
    found = await registry.get(kinds.CONFIG_MAP, "greeting", "default")
    assert found["data"] == {"text": "hello"}
    assert registry.revision == 7
    await registry.close()


def test_every_older_format_has_a_step() -> None:
    assert sorted(migration.STEPS) == list(range(1, migration.FORMAT))


def test_a_new_directory_has_the_newest_format(tmp_path: Path) -> None:
    migrate(tmp_path, CLOCK, newest=3)
    assert format_of(tmp_path) == 3


def test_steps_run_in_order_after_a_backup(tmp_path: Path) -> None:
    state_dir = frozen(tmp_path / "state")
    seen: list[str] = []

    def step(number: int) -> None:
        saved = list((state_dir / "backups").iterdir())
        seen.append(f"{number}: {len(saved)} backup, format {format_of(state_dir)}")

    migrate(state_dir, CLOCK, newest=3, steps={1: lambda _: step(1), 2: lambda _: step(2)})
    assert seen == ["1: 1 backup, format 1", "2: 1 backup, format 2"]
    assert format_of(state_dir) == 3
    (saved,) = (state_dir / "backups").iterdir()
    assert check(saved).state_format == 1
    migrate(state_dir, CLOCK, newest=3, steps={})
    assert len(list((state_dir / "backups").iterdir())) == 1


def test_a_step_that_fails_names_the_backup_and_is_tried_again(tmp_path: Path) -> None:
    state_dir = frozen(tmp_path / "state")
    tries: list[int] = []

    def second(_: Path) -> None:
        tries.append(2)
        if len(tries) == 1:
            raise StoreError("the disk is full")

    steps = {1: lambda _: None, 2: second}
    with pytest.raises(ConfigError, match="format 2 to 3: the disk is full") as told:
        migrate(state_dir, CLOCK, newest=3, steps=steps)
    assert "backups/format-1-" in str(told.value)
    assert format_of(state_dir) == 2
    migrate(state_dir, CLOCK, newest=3, steps=steps)
    assert format_of(state_dir) == 3


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    state_dir = frozen(tmp_path / "state")
    write_format(state_dir, 9)
    before = (state_dir / "cluster.db").read_bytes()
    with pytest.raises(ConfigError, match="has format 9, this version knows up to 1"):
        migrate(state_dir, CLOCK)
    assert (state_dir / "cluster.db").read_bytes() == before
    assert format_of(state_dir) == 9


@pytest.mark.parametrize("text", ["", "two", "0", "-1", "1.5"])
def test_a_format_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    state_dir = frozen(tmp_path / "state")
    (state_dir / "format").write_text(text)
    with pytest.raises(StoreError, match="expected a number"):
        migrate(state_dir, CLOCK)
