"""Backups: whole, online, 0600; and nothing that an archive says gets out of the state directory."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.clock import SystemClock
from reconciler.daemon import state
from reconciler.daemon.backup import Contents, check, create, restore
from reconciler.errors import ConfigError, StoreError
from reconciler.store.protocol import Record
from reconciler.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLOCK = SystemClock()
EVERYTHING = Contents(volumes=True, keys=True, sources=True)


@pytest.fixture
async def state_dir(tmp_path: Path) -> Path:
    """A state directory as a daemon leaves it."""
    root = tmp_path / "state"
    state.prepare(root)
    store = SqliteStore(root / "cluster.db")
    await store.open()
    await store.append([Record(1, "/v1/Pod/default/web", b"{}")])
    await store.close()
    volume = root / "volumes/shop/data"
    volume.mkdir(parents=True)
    (volume / "orders.db").write_bytes(os.urandom(3 << 20))
    (volume / "empty").mkdir()
    (volume / "current").symlink_to("orders.db")
    for name in ("history/ab/one", "keys/history.key", "sources/abc/HEAD", "pods/uid/log"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "daemon.log").write_text("log")
    return root


def files(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file() and not p.is_symlink()
    }


async def contents(path: Path) -> list[Record]:
    store = SqliteStore(path / "cluster.db")
    found = await store.open()
    await store.close()
    return found.records


async def test_everything_comes_back(state_dir: Path, tmp_path: Path) -> None:
    (state_dir / "volumes/shop/data/orders.db").chmod(0o640)
    target = tmp_path / "backup.tar.gz"
    report = create(state_dir, target, EVERYTHING, CLOCK)
    assert target.stat().st_mode & 0o777 == 0o600
    assert report.skipped == ()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []

    header = check(target)
    assert (header.volumes, header.keys, header.sources) == (True, True, True)
    new = tmp_path / "elsewhere" / "state"
    restore(target, new, CLOCK)
    assert await contents(new) == await contents(state_dir)
    before, after = files(state_dir), files(new)
    for part in ("volumes/", "history/", "keys/", "sources/"):
        assert {k: v for k, v in after.items() if k.startswith(part)} == {
            k: v for k, v in before.items() if k.startswith(part)
        }
    assert not any(k.startswith(("pods", "daemon", "run")) for k in after)
    volume = new / "volumes/shop/data"
    assert os.readlink(volume / "current") == "orders.db"  # noqa: PTH115
    assert (volume / "empty").is_dir()
    assert (volume / "orders.db").stat().st_mode & 0o777 == 0o640
    assert (volume / "orders.db").stat().st_mtime == pytest.approx(
        (state_dir / "volumes/shop/data/orders.db").stat().st_mtime, abs=1
    )
    assert new.stat().st_mode & 0o777 == (new / "keys").stat().st_mode & 0o777 == 0o700


async def test_keys_volumes_and_sources_only_when_asked(state_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar.gz"
    create(state_dir, target, Contents(), CLOCK)
    restore(target, tmp_path / "new", CLOCK)
    assert files(tmp_path / "new").keys() == {"cluster.db", "history/ab/one", "format"}


async def test_a_backup_is_made_while_the_store_is_written(state_dir: Path, tmp_path: Path) -> None:
    store = SqliteStore(state_dir / "cluster.db")
    await store.open()
    await store.append([Record(2, "/v1/Pod/default/api", b"{}")])
    create(state_dir, tmp_path / "backup.tar.gz", Contents(), CLOCK)
    await store.append([Record(3, "/v1/Pod/default/late", b"{}")])
    await store.close()
    restore(tmp_path / "backup.tar.gz", tmp_path / "new", CLOCK)
    assert [r.revision for r in await contents(tmp_path / "new")] == [1, 2]


async def test_a_backup_takes_the_place_of_an_older_one_only_when_complete(
    state_dir: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup.tar.gz"
    target.write_text("older")
    (state_dir / "cluster.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError):
        create(state_dir, target, Contents(), CLOCK)
    assert target.read_text() == "older"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["backup.tar.gz", "state"]
    with pytest.raises(StoreError, match="nothing to back up"):
        create(tmp_path / "nowhere", target, Contents(), CLOCK)


async def test_a_volume_cannot_lead_a_backup_out_of_it(state_dir: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "shadow").write_text("root:x")
    volume = state_dir / "volumes/shop/data"
    (volume / "etc").symlink_to(outside)
    (volume / "file").symlink_to(outside / "shadow")
    os.mkfifo(volume / "pipe")
    report = create(state_dir, tmp_path / "backup.tar.gz", EVERYTHING, CLOCK)
    assert report.skipped == ("volumes/shop/data/pipe: neither a file nor a directory",)
    restore(tmp_path / "backup.tar.gz", tmp_path / "new", CLOCK)
    assert b"root:x" not in files(tmp_path / "new").values()
    assert (tmp_path / "new/volumes/shop/data/etc").is_symlink()


async def test_what_is_there_is_kept(state_dir: Path, tmp_path: Path) -> None:
    target, new = tmp_path / "backup.tar.gz", tmp_path / "new"
    create(state_dir, target, Contents(), CLOCK)
    new.mkdir()
    restore(target, new, CLOCK)  # an empty directory is as good as none
    with pytest.raises(ConfigError, match=r"not empty.*--force"):
        restore(target, new, CLOCK)
    (new / "mine").write_text("mine")
    restore(target, new, CLOCK, force=True)
    (aside,) = (p for p in tmp_path.iterdir() if p.name.startswith("new.replaced-"))
    assert (aside / "mine").read_text() == "mine"
    assert not (new / "mine").exists()
    with state.locked(new), pytest.raises(ConfigError, match="already runs"):
        restore(target, new, CLOCK, force=True)


HEADER: dict[str, Any] = {
    "format": 1, "version": "0.1.0", "createdAt": "2026-01-01T00:00:00Z", "stateFormat": 1,
    "node": "n", "volumes": True, "keys": False, "sources": False,
}  # fmt: skip


def entry(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def archive(path: Path, *entries: tuple[tarfile.TarInfo, bytes], header: Any = None) -> Path:
    """Write an archive with correct checksums over whatever is in it."""
    sums = {
        i.name.removeprefix("state/"): hashlib.sha256(d).hexdigest()
        for i, d in entries
        if i.isfile()
    }
    head = entry("reconciler-backup.json", json.dumps(header or HEADER).encode())
    tail = entry("SHA256SUMS.json", json.dumps(sums).encode())
    with tarfile.open(path, "w:gz") as tar:
        for info, data in (head, *entries, tail):
            tar.addfile(info, io.BytesIO(data))
    return path


DATABASE = entry("state/cluster.db", b"x")


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([entry("state/../../etc/passwd", b"x")], "leads out"),
        ([entry("/state/x", b"x")], "leads out"),
        ([entry("/etc/passwd", b"x")], "leads out"),
        ([entry("etc/passwd", b"x")], "leads out"),
        ([entry("state", type=tarfile.DIRTYPE)], "leads out"),
        ([entry("state/keys", type=tarfile.SYMTYPE, linkname="/etc")], "a symbolic link"),
        ([entry("state/volumes", type=tarfile.SYMTYPE, linkname="/etc")], "a symbolic link"),
        ([entry("state/volumes/a/b", type=tarfile.SYMTYPE, linkname="c")], "a symbolic link"),
        ([entry("state/volumes/a/b/c", type=tarfile.LNKTYPE, linkname="/etc/passwd")], "neither"),
        ([entry("state/volumes/a/null", type=tarfile.CHRTYPE)], "neither"),
        ([entry("state/volumes/a/sda", type=tarfile.BLKTYPE)], "neither"),
        ([entry("state/volumes/a/pipe", type=tarfile.FIFOTYPE)], "neither"),
        ([entry("state/a", b"1"), entry("state/a", b"2")], "twice"),
        ([entry("state/a", b"1"), entry("state/./a", b"2")], "twice"),
    ],
)
def test_what_a_backup_never_has_is_refused(
    entries: list[tuple[tarfile.TarInfo, bytes]], says: str, tmp_path: Path
) -> None:
    path = archive(tmp_path / "evil.tar.gz", DATABASE, *entries)
    with pytest.raises(StoreError, match=says):
        restore(path, tmp_path / "new", CLOCK)
    assert [p.name for p in tmp_path.iterdir()] == ["evil.tar.gz"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Below volumes a link is data; a file "in" it makes the two collide, and nothing lies where it points to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    path = archive(
        tmp_path / "evil.tar.gz",
        DATABASE,
        entry("state/volumes/a/b/link", type=tarfile.SYMTYPE, linkname=str(outside)),
        entry("state/volumes/a/b/link/owned", b"x"),
    )
    with pytest.raises(StoreError):
        restore(path, tmp_path / "new", CLOCK)
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "new").exists()


def test_programs_of_a_backup_do_not_gain_rights(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "b.tar.gz", DATABASE,
        entry("state/volumes/a/b", type=tarfile.DIRTYPE, mode=0o2775),
        entry("state/volumes/a/b/su", b"x", mode=0o6755),
        entry("state/history", b"x", mode=0o777),
    )  # fmt: skip
    restore(path, tmp_path / "new", CLOCK)
    assert (tmp_path / "new/volumes/a/b/su").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "new/volumes/a/b").stat().st_mode & 0o7777 == 0o2775
    assert (tmp_path / "new/history").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({**HEADER, "format": 99}, "reconciler 0.1.0 or newer"),
        ({**HEADER, "stateFormat": 99}, "state of format 99"),
        ({**HEADER, "format": "x"}, "header"),
        ([], "header"),
    ],
)
def test_a_header_of_another_kind_is_refused(header: Any, says: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "b.tar.gz", DATABASE, header=header or [1])
    with pytest.raises(StoreError, match=says):
        restore(path, tmp_path / "new", CLOCK)


async def test_a_broken_file_is_found_before_anything_is_touched(
    state_dir: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup.tar.gz"
    create(state_dir, target, Contents(), CLOCK)
    whole = target.read_bytes()
    plain = bytearray(gzip.decompress(whole))
    at = plain.index(b"history/ab/one", plain.index(b"state/history/ab/one") + 30)
    plain[at] ^= 1
    broken: dict[str, Callable[[], bytes]] = {
        "cut off": lambda: whole[: len(whole) // 2],
        "its end is missing": lambda: gzip.compress(bytes(plain[: plain.index(b"SHA256SUMS")])),
        "a bit has turned": lambda: gzip.compress(bytes(plain)),
        "no gzip": lambda: b"PK\3\4" + bytes(1000),
        "empty": lambda: b"",
        "no tar": lambda: gzip.compress(b"hello"),
    }
    for what, make in broken.items():
        target.write_bytes(make())
        with pytest.raises(StoreError, match="cannot be restored"):
            restore(target, tmp_path / "new", CLOCK)
        assert not (tmp_path / "new").exists(), what
    with pytest.raises(StoreError, match="No such file"):
        check(tmp_path / "missing.tar.gz")


names = st.text("ab.é -", min_size=1, max_size=8).filter(lambda n: n.strip(".") != "")


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.tuples(names, names), st.binary(max_size=2000), max_size=6))
def test_whatever_lies_in_a_volume_comes_back(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[tuple[str, str], bytes]
) -> None:
    base = tmp_path_factory.mktemp("volumes")
    root = base / "state"
    (root / "volumes").mkdir(parents=True)
    (root / "cluster.db").write_bytes(EMPTY_STORE)
    for (folder, name), data in tree.items():
        (root / "volumes/ns" / folder).mkdir(parents=True, exist_ok=True)
        (root / "volumes/ns" / folder / name).write_bytes(data)
    create(root, base / "b", Contents(volumes=True), CLOCK)
    restore(base / "b", base / "new", CLOCK)
    before, after = files(root), files(base / "new")
    assert {k: v for k, v in after.items() if k[:3] == "vol"} == {
        k: v for k, v in before.items() if k[:3] == "vol"
    }


def _empty_store() -> bytes:
    import sqlite3
    import tempfile

    from reconciler.store.sqlite import APPLICATION_ID

    with tempfile.NamedTemporaryFile() as file:
        connection = sqlite3.connect(file.name)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("CREATE TABLE state (name TEXT)")
        connection.commit()
        connection.close()
        return file.read()


EMPTY_STORE = _empty_store()
