"""A directory is read as it is, and what happens to it is noticed."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import SourceError
from reconciler.gitops.source import DirectorySource
from reconciler.gitops.source.contents import LARGEST_FILE
from reconciler.gitops.source.listing import Listing
from reconciler.gitops.source.scan import Scanner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def problems(root: Path) -> set[tuple[str, str]]:
    return {(p.path, p.rule) for p in Scanner(root).scan().problems}


def test_manifests_are_read_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.json", "d.yaml.j2", "README.md", ".hidden.yaml"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config.yaml").write_text("x")
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/e.yaml").write_text("x")
    os.mkfifo(tmp_path / "pipe.yaml")
    found = Scanner(tmp_path).scan()
    assert list(found.files) == ["a.yaml", "b.yml", "c.json", "d.yaml.j2", "deep/er/e.yaml"]
    assert not found.problems


def test_equal_files_have_equal_revisions_and_others_have_not(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("one")
    first = Scanner(tmp_path).scan()
    (tmp_path / "b.txt").write_text("no manifest")
    assert Scanner(tmp_path).scan().revision == first.revision
    (tmp_path / "a.yaml").write_text("two")
    assert Scanner(tmp_path).scan().revision != first.revision
    (tmp_path / "a.yaml").write_text("one")
    assert Scanner(tmp_path).scan().revision == first.revision
    (tmp_path / "a.yaml").rename(tmp_path / "c.yaml")
    assert Scanner(tmp_path).scan().revision != first.revision


def test_a_replaced_file_of_equal_length_is_read_again(tmp_path: Path) -> None:
    scanner = Scanner(tmp_path)
    (tmp_path / "a.yaml").write_text("one")
    scanner.scan()
    (tmp_path / "new").write_text("two")
    (tmp_path / "new").rename(tmp_path / "a.yaml")
    assert scanner.scan().files["a.yaml"].data == b"two"


def test_an_unchanged_directory_gives_the_same_snapshot(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("one")
    (tmp_path / "out.yaml").symlink_to("/etc/hostname")
    scanner = Scanner(tmp_path)
    first = scanner.scan()
    assert scanner.scan() is first
    (tmp_path / "out.yaml").unlink()
    assert not scanner.scan().problems


def test_what_is_listed_is_read_when_it_is_asked_for_and_stays_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b", "c", "a", "deep/d"):
        (tmp_path / f"{name}.yaml").write_text(f"file: {name[-1]}")
    (tmp_path / "link.yaml").symlink_to("a.yaml")
    (tmp_path / "out.yaml").symlink_to("/etc/hostname")
    held, found = Scanner(tmp_path).scan(), Scanner(tmp_path, listed=True).scan()
    assert isinstance(found.files, Listing)
    assert list(found.files) == list(held.files)
    assert dict(found.files) == held.files
    assert [f.data for f in found.files.values()] == [f.data for f in held.files.values()]
    assert [found.files.size(path) for path in found.files] == [7] * 5
    assert found.problems == held.problems
    assert "d.yaml" not in found.files
    (tmp_path / "b.yaml").write_text("file: x")
    (tmp_path / "c.yaml").unlink()
    with pytest.raises(SourceError, match=r"b\.yaml was changed while"):
        _ = found.files["b.yaml"].data
    with pytest.raises(SourceError, match=r"c\.yaml: No such file"):
        _ = found.files["c.yaml"].data


def test_what_another_process_read_of_a_listed_file_is_what_it_is_from_then_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.yaml").write_text("file: a")
    here, there = (Scanner(tmp_path, listed=True).scan().files for _ in range(2))
    assert isinstance(here, Listing)
    here.learn("a.yaml", bytes.fromhex(there["a.yaml"].digest))
    assert here["a.yaml"].data == b"file: a"
    with pytest.raises(SourceError, match=r"a\.yaml was changed while"):
        here.learn("a.yaml", bytes(32))


def test_a_listed_file_that_nobody_may_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("file: a")
    (tmp_path / "a.yaml").chmod(0)
    if os.access(tmp_path / "a.yaml", os.R_OK):
        pytest.skip("who may do everything reads everything")
    assert Scanner(tmp_path, listed=True).scan() == Scanner(tmp_path).scan()._replace(revision="")


def test_links_inside_are_followed_and_links_outside_are_problems(tmp_path: Path) -> None:
    root = tmp_path / "root"
    outside = tmp_path / "root-beside"
    (root / "real").mkdir(parents=True)
    outside.mkdir()
    (outside / "x.yaml").write_text("secret")
    (root / "real/a.yaml").write_text("a")
    (root / "file.yaml").symlink_to("real/a.yaml")
    (root / "out.yaml").symlink_to(outside / "x.yaml")
    (root / "directory").symlink_to(outside)
    (root / "README.md").symlink_to(outside / "x.yaml")
    found = Scanner(root).scan()
    assert set(found.files) == {"file.yaml", "real/a.yaml"}
    assert {(p.path, p.rule) for p in found.problems} == {
        ("out.yaml", "source/outside"),
        ("directory", "source/outside"),
    }


def test_loops_of_links_end(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    (tmp_path / "up").symlink_to(".")
    (tmp_path / "l.yaml").symlink_to("l.yaml")
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    found = Scanner(tmp_path).scan()
    assert set(found.files) == {"a.yaml"}
    assert {(p.path, p.rule) for p in found.problems} == {
        ("l.yaml", "source/loop"),
        ("gone.yaml", "source/unreadable"),
    }


def test_a_file_too_large_is_a_problem(tmp_path: Path) -> None:
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    assert problems(tmp_path) == {("big.yaml", "source/too-large")}


def test_one_file_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    (tmp_path / "b.yaml").write_text("b")
    assert list(Scanner(tmp_path / "a.yaml").scan().files) == ["a.yaml"]


def test_no_root_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere: No such file or directory"):
        Scanner(tmp_path / "nowhere").scan()


@asynccontextmanager
async def watching(root: Path, within: Path | None = None) -> AsyncIterator[DirectorySource]:
    source = DirectorySource(root, clock=SystemClock(), rescan_seconds=20, within=within)
    try:
        yield source
    finally:
        await source.close()


async def until(source: DirectorySource, path: str, data: bytes | None) -> None:
    """Wait as an engine does, until a file is as it should be."""
    async with asyncio.timeout(10):
        while True:
            try:
                file = (await source.snapshot()).files.get(path)
            except SourceError:
                file = None
            if (file.data if file is not None else None) == data:
                return
            await source.changed()


async def test_a_change_between_snapshot_and_wait_is_not_lost(tmp_path: Path) -> None:
    async with watching(tmp_path) as source:
        await source.snapshot()
        (tmp_path / "a.yaml").write_text("one")
        async with asyncio.timeout(10):
            await source.changed()
        assert (await source.snapshot()).files["a.yaml"].data == b"one"


async def test_a_wait_given_up_takes_no_hint_away(tmp_path: Path) -> None:
    async with watching(tmp_path) as source:
        await source.snapshot()
        (tmp_path / "a.yaml").write_text("one")
        async with asyncio.timeout(10):
            await source.changed()
            await source.changed()  # still unseen: it returns again


async def test_edits_renames_and_deletions_are_noticed(tmp_path: Path) -> None:
    async with watching(tmp_path) as source:
        await until(source, "a.yaml", None)
        (tmp_path / "new").mkdir()
        (tmp_path / "new/a.yaml").write_text("one")
        await until(source, "new/a.yaml", b"one")
        (tmp_path / "new/.a.swp").write_text("two")
        (tmp_path / "new/.a.swp").rename(tmp_path / "new/a.yaml")
        await until(source, "new/a.yaml", b"two")
        shutil.rmtree(tmp_path / "new")
        await until(source, "new/a.yaml", None)


async def test_a_root_deleted_and_made_again_is_watched_again(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.yaml").write_text("one")
    async with watching(root) as source:
        await until(source, "a.yaml", b"one")
        shutil.rmtree(root)
        await until(source, "a.yaml", None)
        root.mkdir()
        (root / "a.yaml").write_text("two")
        await until(source, "a.yaml", b"two")
        (root / "a.yaml").write_text("three")
        await until(source, "a.yaml", b"three")


async def test_a_root_put_in_place_of_another_is_noticed(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    for path, text in ((root, "one"), (other, "two")):
        path.mkdir()
        (path / "a.yaml").write_text(text)
    async with watching(root) as source:
        await until(source, "a.yaml", b"one")
        root.rename(tmp_path / "old")
        other.rename(root)
        await until(source, "a.yaml", b"two")


async def test_one_file_is_followed_through_renames(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("one")
    async with watching(path) as source:
        await until(source, "a.yaml", b"one")
        for text in ("two", "three"):
            (tmp_path / "a.new").write_text(text)
            (tmp_path / "a.new").rename(path)
            await until(source, "a.yaml", text.encode())


async def test_folders_beside_it_that_it_builds_on_are_watched_too(tmp_path: Path) -> None:
    for name in ("base", "more", "prod"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text("resources: []\n")
    (tmp_path / "prod/kustomization.yaml").write_text("resources: [../base]\n")
    async with watching(tmp_path / "prod", tmp_path) as source:
        await until(source, "../base/kustomization.yaml", b"resources: []\n")
        (tmp_path / "base/a.yaml").write_text("one")
        await until(source, "../base/a.yaml", b"one")
        (tmp_path / "base/kustomization.yaml").write_text("resources: [../more]\n")
        await until(source, "../more/kustomization.yaml", b"resources: []\n")
        (tmp_path / "more/b.yaml").write_text("two")
        await until(source, "../more/b.yaml", b"two")
        (tmp_path / "prod/kustomization.yaml").write_text("resources: []\n")
        await until(source, "../base/a.yaml", None)


def test_a_state_directory_below_the_root_holds_no_manifests(tmp_path: Path) -> None:
    """`reconciler --state-dir ./state up .`: what is written there while it runs is no change either."""
    (tmp_path / "a.yaml").write_text("one")
    scanner = Scanner(tmp_path)
    first = scanner.scan()
    node = tmp_path / "deep/state/runtime/node.json"
    node.parent.mkdir(parents=True)
    node.write_text("{}")
    for name in ("daemon.lock", "format"):
        (tmp_path / "deep/state" / name).write_text("1\n")
    assert scanner.scan() is first
    node.write_text('{"more": 1}')
    assert scanner.scan(["deep/state/runtime/node.json"]) is first
    assert list(Scanner(tmp_path, everything=True).scan().files) == ["a.yaml"]
