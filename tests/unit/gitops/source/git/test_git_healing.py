"""What goes wrong with repositories leaves what was good in place, says what it is, and heals by itself."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SeededEntropy, SystemClock
from reconciler.errors import SourceError
from reconciler.gitops.source.git import GitSource
from reconciler.gitops.source.git import repository as repositories
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


async def test_what_was_accepted_for_another_ref_or_path_does_not_count(
    origin: Origin, tmp_path: Path
) -> None:
    origin.commit("more", deploy__c="c: 1\n")
    await source_of(follow(tmp_path, origin.url)).snapshot()
    assert await follow(tmp_path, origin.url).current()
    for ref, path in (("other", ""), ("main", "deploy")):
        assert not await follow(tmp_path, origin.url, ref, path=path).current()


async def test_what_was_accepted_of_a_part_is_whole_without_the_server(
    origin: Origin, tmp_path: Path
) -> None:
    origin.commit("more", deploy__c="c: 1\n")
    await follow(
        tmp_path, origin.url, path="deploy"
    ).fetch()  # and the daemon is killed before it reads
    away = origin.served.rename(tmp_path / "away")
    again = source_of(follow(tmp_path, origin.url, path="deploy"))
    assert texts((await again.snapshot()).files) == {"c.yaml": "c: 1\n"}
    away.rename(origin.served)
    origin.git("rm", "-q", "-r", "deploy")
    origin.commit("gone")
    files, stale = await newest(again)
    assert files == {"c.yaml": "c: 1\n"}
    assert "has no 'deploy'" in stale
    # A path that has gone is not accepted: the next start still has what was good.
    last = source_of(follow(tmp_path, origin.url, path="deploy"))
    assert texts((await last.snapshot()).files) == {"c.yaml": "c: 1\n"}


async def test_many_fetches_are_packed_and_nothing_is_lost(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repositories, "FETCHES_BETWEEN_PACKS", 4)
    source = source_of(follow(tmp_path, origin.url))
    await source.snapshot()
    made = (tmp_path / "clone/repository.git").stat().st_ino
    for number in range(9):
        origin.commit("more", a=f"a: {number}\n")
        files, stale = await newest(source)
        assert (files["a.yaml"], stale) == (f"a: {number}\n", "")
    assert (tmp_path / "clone/repository.git").stat().st_ino == made, "the clone was made anew"
    loose = [p for p in (tmp_path / "clone/repository.git/objects").rglob("*") if len(p.name) == 38]
    assert len(loose) <= 6, "what earlier fetches brought still lies about"


class Weather:
    """Does to a repository what the world does, and knows what it must hold now."""

    def __init__(self, origin: Origin, chance: random.Random, clone: Path) -> None:
        self.origin, self.chance, self.clone = origin, chance, clone
        self.away = origin.served.with_suffix(".away")
        self.pushed: list[dict[str, str]] = []
        self.push()

    def push(self) -> None:
        if not self.away.exists():
            number = len(self.pushed)
            self.origin.commit("push", a=f"a: {number}\n", b=f"b: {number}\n")
            self.pushed.append({"a.yaml": f"a: {number}\n", "b.yaml": f"b: {number}\n"})

    def rewrite(self) -> None:
        if not self.away.exists():
            self.origin.git("update-ref", "-d", "HEAD")
            self.push()

    def leave(self) -> None:
        if not self.away.exists():
            self.origin.served.rename(self.away)

    def come_back(self) -> None:
        if self.away.exists():
            self.away.rename(self.origin.served)

    def delete_branch(self) -> None:
        if not self.away.exists():
            self.origin.git("push", "-q", "origin", ":main")

    def damage(self) -> None:
        found = sorted(p for p in self.clone.rglob("*") if p.is_file())
        if found:
            victim = self.chance.choice(found)
            victim.chmod(0o600)
            victim.write_bytes(victim.read_bytes()[: self.chance.randrange(20)])

    def lock(self) -> None:
        if self.clone.is_dir():
            (self.clone / self.chance.choice(["shallow.lock", "config.lock", "HEAD.lock"])).touch()

    def something(self) -> None:
        self.chance.choice(
            [
                self.push,
                self.push,
                self.rewrite,
                self.leave,
                self.come_back,
                self.delete_branch,
                self.damage,
                self.lock,
            ]
        )()

    def clear(self) -> None:
        self.come_back()
        self.push()


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_only_pushed_revisions_are_seen_and_the_last_in_the_end(
    origin: Origin, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    weather = Weather(origin, chance, tmp_path / "clone/repository.git")
    source = source_of(follow(tmp_path, origin.url))
    for _ in range(25):
        weather.something()
        source.refresh()
        looking = asyncio.create_task(source.snapshot())
        if chance.random() < 0.3:  # the daemon is stopped in the middle
            await asyncio.sleep(chance.random() * 0.05)
            looking.cancel()
            await asyncio.wait([looking])
            source = source_of(follow(tmp_path, origin.url))
            continue
        await asyncio.wait([looking])
        error = looking.exception()
        assert error is None or isinstance(error, SourceError)
        if error is None:
            assert texts(looking.result().files) in weather.pushed
    weather.clear()
    assert await newest(source) == (weather.pushed[-1], "")
    assert not list((tmp_path / "clone").glob(".session-*"))
