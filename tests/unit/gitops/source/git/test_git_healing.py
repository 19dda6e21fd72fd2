"""What goes wrong with repositories leaves what was good in place, says what it is, and heals by itself."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SeededEntropy, SystemClock
from reconciler.errors import SourceError
from reconciler.gitops.source.git import GitSource
from reconciler.gitops.source.git.source import SHORTEST_GAP
from tests.unit.gitops.source.git.origin import Origin, follow, texts

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.gitops.source.git import Repository


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    made = Origin(tmp_path)
    made.commit("first", a="a: 1\n", b="b: 1\n")
    return made


def source_of(repository: Repository) -> GitSource:
    return GitSource(repository, interval=3600, clock=SystemClock(), entropy=SeededEntropy())


async def newest(source: GitSource) -> tuple[dict[str, str], str]:
    """Look now; return the files and what is wrong."""
    source.refresh()
    snapshot = await source.snapshot()
    return texts(snapshot.files), snapshot.stale


async def test_a_rewritten_history_is_followed(origin: Origin, tmp_path: Path) -> None:
    source = source_of(follow(tmp_path, origin.url))
    await source.snapshot()
    origin.git("checkout", "-q", "--orphan", "other")
    origin.commit("all new", push=False, a="a: 2\n")
    origin.git("push", "-q", "--force", "origin", "other:main")
    assert await newest(source) == ({"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"}, "")


async def test_a_deleted_branch_is_told_and_its_return_seen(origin: Origin, tmp_path: Path) -> None:
    origin.git("push", "-q", "origin", "main:live")
    source = source_of(follow(tmp_path, origin.url, "live"))
    good, _ = await newest(source)
    origin.git("push", "-q", "origin", ":live")
    files, stale = await newest(source)
    assert files == good
    assert "does not have a branch or tag live (since 20" in stale
    first = stale
    assert (await newest(source))[1] == first, "the same trouble is told in other words"
    origin.git("push", "-q", "origin", "main:live")
    assert await newest(source) == (good, "")


async def test_a_vanished_repository_leaves_the_last_revision(
    origin: Origin, tmp_path: Path
) -> None:
    source = source_of(follow(tmp_path, origin.url))
    good, _ = await newest(source)
    away = origin.served.rename(tmp_path / "away")
    files, stale = await newest(source)
    assert files == good
    assert origin.url in stale
    # A daemon that starts now goes on with what is on disk.
    again = source_of(follow(tmp_path, origin.url))
    assert texts((await again.snapshot()).files) == good
    away.rename(origin.served)
    assert await newest(again) == (good, "")


async def test_a_restart_does_not_clone_again(origin: Origin, tmp_path: Path) -> None:
    await source_of(follow(tmp_path, origin.url)).snapshot()
    objects = {p.name: p.stat().st_ino for p in (tmp_path / "clone").rglob("*") if p.is_file()}
    again = source_of(follow(tmp_path, origin.url))
    assert (await newest(again))[1] == ""
    after = {p.name: p.stat().st_ino for p in (tmp_path / "clone").rglob("*") if p.is_file()}
    assert {k: v for k, v in after.items() if k.endswith((".pack", ".idx")) or len(k) == 38} == {
        k: v for k, v in objects.items() if k.endswith((".pack", ".idx")) or len(k) == 38
    }


@pytest.mark.parametrize("damage", ["objects", "HEAD", "config", "refs", "empty", "lock"])
async def test_a_damaged_clone_is_made_anew(origin: Origin, tmp_path: Path, damage: str) -> None:
    source = source_of(follow(tmp_path, origin.url))
    await source.snapshot()
    clone = tmp_path / "clone/repository.git"
    match damage:
        case "objects":
            shutil.rmtree(clone / "objects")
            (clone / "objects").mkdir()
        case "empty":
            for path in (clone / "objects").rglob("*"):
                if path.is_file():
                    path.chmod(0o600)
                    path.write_bytes(b"")
        case "HEAD" | "config":
            (clone / damage).write_bytes(b"\0\0garbage")
        case "refs":
            shutil.rmtree(clone / "refs")
        case "lock":
            (clone / "shallow.lock").touch()
            (clone / "refs/reconciler/next.lock").touch()
    origin.commit("second", a="a: 2\n")
    assert await newest(source) == ({"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"}, "")
    # And so is one that a daemon finds when it starts.
    assert (
        texts((await source_of(follow(tmp_path, origin.url)).snapshot()).files)["a.yaml"]
        == "a: 2\n"
    )


async def test_a_clone_damaged_while_the_server_is_away_keeps_the_snapshot(
    origin: Origin, tmp_path: Path
) -> None:
    source = source_of(follow(tmp_path, origin.url))
    good, _ = await newest(source)
    shutil.rmtree(tmp_path / "clone/repository.git")
    away = origin.served.rename(tmp_path / "away")
    files, stale = await newest(source)
    assert files == good
    assert stale
    away.rename(origin.served)
    origin.commit("second", a="a: 2\n")
    assert (await newest(source))[0]["a.yaml"] == "a: 2\n"


async def test_a_half_written_push_is_waited_for(origin: Origin, tmp_path: Path) -> None:
    source = source_of(follow(tmp_path, origin.url))
    good, _ = await newest(source)
    pushed = origin.commit("second", a="a: 2\n")
    blob = origin.git("rev-parse", f"{pushed}:a.yaml")
    objects = origin.served / "objects" / blob[:2] / blob[2:]
    kept = objects.read_bytes()
    objects.unlink()
    files, stale = await newest(source)
    assert files == good
    assert stale
    objects.write_bytes(kept)
    assert (await newest(source))[0]["a.yaml"] == "a: 2\n"


@pytest.mark.root
async def test_a_full_disk_is_named_and_healed(origin: Origin, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        source = source_of(follow(small, origin.url))
        good, _ = await newest(source)
        with (small / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(b"x" * 1024)
        origin.commit("second", a="a: 2\n")
        files, stale = await newest(source)
        assert files == good
        assert "No space left" in stale or "is full" in stale
        (small / "ballast").unlink()
        assert await newest(source) == ({**good, "a.yaml": "a: 2\n"}, "")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


async def test_what_was_never_read_says_why(tmp_path: Path) -> None:
    source = source_of(follow(tmp_path, f"file://{tmp_path}/nothing"))
    with pytest.raises(SourceError, match=r"nothing.*since 20"):
        await source.snapshot()


async def test_changed_returns_for_a_push_after_a_hint(origin: Origin, tmp_path: Path) -> None:
    source = source_of(follow(tmp_path, origin.url))
    await source.snapshot()
    pushed = origin.commit("second", a="a: 2\n")
    source.hint()
    await source.changed()
    assert (await source.snapshot()).revision == pushed
    assert SHORTEST_GAP <= 1
