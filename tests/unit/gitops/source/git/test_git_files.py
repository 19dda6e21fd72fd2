"""Files out of git's objects: links, submodules, LFS, and that a change costs what changed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import SourceError
from reconciler.gitops.source.git import links
from reconciler.gitops.source.git.tree import hidden
from tests.unit.gitops.source.git.origin import ENVIRONMENT, Origin, follow, texts
from tests.unit.gitops.source.git.servers import git_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.gitops.source.git import Repository
    from reconciler.gitops.source.snapshot import Snapshot


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path)


async def read(repository: Repository) -> Snapshot:
    return await repository.read(await repository.fetch())


def problems(snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    return {p.path: (p.rule, p.severity) for p in snapshot.problems}


def is_fetched(where: Path, blob: str) -> bool:
    """Whether a clone has a blob; a partial one must not fetch it only because it is asked."""
    there = subprocess.run(
        ["git", "cat-file", "-e", blob], cwd=where / "clone/repository.git",
        capture_output=True, check=False, env={**ENVIRONMENT, "GIT_ALLOW_PROTOCOL": "none"},
    )  # fmt: skip
    return there.returncode == 0


async def test_only_manifests_are_read_and_nothing_hidden(origin: Origin, tmp_path: Path) -> None:
    for path in (
        "a.yaml",
        "b.yml",
        "c.json",
        "d.yaml.j2",
        "e.txt",
        ".f.yaml",
        ".g/h.yaml",
        "i/.j/k.yaml",
        "l/m é.yaml",
    ):
        origin.write(path, f"# {path}\n")
    origin.commit()
    found = await read(follow(tmp_path, origin.url))
    assert list(found.files) == ["a.yaml", "b.yml", "c.json", "d.yaml.j2", "l/m é.yaml"]
    assert found.problems == ()


async def test_links_are_followed_within_the_source_and_never_out_of_it(
    origin: Origin, tmp_path: Path
) -> None:
    origin.write("deploy/now", "")
    (origin.work / "deploy/now").unlink()
    origin.write("deploy/releases/2/web.yaml", "two\n")
    origin.write("secret.yaml", "outside\n")
    for link, target in (
        ("deploy/now", "releases/2"), ("deploy/same.yaml", "now/web.yaml"), ("deploy/out.yaml", "../secret.yaml"),
        ("deploy/etc.yaml", "/etc/passwd"), ("deploy/up", ".."), ("deploy/self.yaml", "self.yaml"),
        ("deploy/releases/back", ".."), ("deploy/dangling.yaml", "nothing.yaml"),
    ):  # fmt: skip
        (origin.work / link).symlink_to(target)
    origin.commit()
    found = await read(follow(tmp_path, origin.url, path="deploy"))
    assert texts(found.files) == {
        "now/web.yaml": "two\n", "releases/2/web.yaml": "two\n", "same.yaml": "two\n",
    }  # fmt: skip
    assert problems(found) == {
        "out.yaml": ("source/outside", "error"), "etc.yaml": ("source/outside", "error"),
        "self.yaml": ("source/loop", "error"),
    }  # fmt: skip
    # A link that is turned shows the other release.
    origin.write("deploy/releases/3/web.yaml", "three\n")
    (origin.work / "deploy/now").unlink()
    (origin.work / "deploy/now").symlink_to("releases/3")
    origin.commit()
    assert (
        texts((await read(follow(tmp_path, origin.url, path="deploy"))).files)["same.yaml"]
        == "three\n"
    )


async def test_a_path_that_is_a_link_or_missing_is_refused(origin: Origin, tmp_path: Path) -> None:
    (origin.work / "link").symlink_to("/etc")
    origin.commit(a="a\n")
    with pytest.raises(SourceError, match=r"path: .* has no 'nothing/here'"):
        await read(follow(tmp_path, origin.url, path="nothing/here"))
    for path in ("link", "link/passwd"):
        with pytest.raises(SourceError, match="path"):
            await read(follow(tmp_path / path, origin.url, path=path))


async def test_one_file_is_a_source_whatever_its_name(origin: Origin, tmp_path: Path) -> None:
    origin.write("deploy/all", "all\n")
    origin.commit()
    found = await read(follow(tmp_path, origin.url, path="deploy/all"))
    assert texts(found.files) == {"all": "all\n"}


async def test_too_large_a_file_and_an_lfs_pointer_are_told(origin: Origin, tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
    origin.write("large.yaml", b"#" * (5 * 1024 * 1024 + 1))
    origin.commit(pointer=pointer, good="ok\n")
    repository = follow(tmp_path, origin.url)
    for _ in range(2):
        found = await read(repository)
        assert list(found.files) == ["good.yaml"]
        assert problems(found) == {
            "large.yaml": ("source/too-large", "error"),
            "pointer.yaml": ("source/lfs-pointer", "error"),
        }
        origin.commit(good="better\n")
    origin.commit(pointer="small: now\n")
    assert "pointer.yaml" in (await read(repository)).files


def submodule(origin: Origin, of: Origin, url: str, path: str = "sub") -> None:
    origin.git("submodule", "--quiet", "add", of.url, path)
    origin.git("config", "-f", ".gitmodules", f"submodule.{path}.url", url)
    origin.git("add", "-A")
    origin.commit("with a submodule", a="a\n")


async def test_a_submodule_is_told_and_read_only_when_asked(origin: Origin, tmp_path: Path) -> None:
    other = Origin(tmp_path, "other.git")
    other.commit(inner="in\n")
    async with git_daemon(origin.served.parent) as server:
        submodule(origin, other, "../other.git")
        url = f"{server}/shop.git"
        found = await read(follow(tmp_path / "a", url))
        assert list(found.files) == ["a.yaml"]
        assert problems(found) == {"sub": ("source/submodule", "warning")}
        asked = follow(tmp_path / "b", url, submodules=True)
        found = await read(asked)
        assert texts(found.files) == {"a.yaml": "a\n", "sub/inner.yaml": "in\n"}
        assert found.files["sub/inner.yaml"].path == "sub/inner.yaml"
        assert found.problems == ()
        # It moves when the commit that is asked for moves, not when the submodule does.
        moved = other.commit(inner="on\n")
        assert texts((await read(asked)).files)["sub/inner.yaml"] == "in\n"
        origin.git("submodule", "--quiet", "update", "--init")
        origin.git("fetch", "-q", "origin", at=origin.work / "sub")
        origin.git("checkout", "-q", moved, at=origin.work / "sub")
        origin.commit("moved")
        assert texts((await read(asked)).files)["sub/inner.yaml"] == "on\n"


@pytest.mark.parametrize("url", ["file:///etc", "/etc", "ext::sh -c id", "-uploadpack=x"])
async def test_a_submodule_cannot_name_this_machine_nor_a_program(
    origin: Origin, tmp_path: Path, url: str
) -> None:
    other = Origin(tmp_path, "other.git")
    other.commit(inner="in\n")
    submodule(origin, other, url)
    with pytest.raises(SourceError, match="submodule sub"):
        await read(follow(tmp_path / "b", origin.url, submodules=True))


async def test_a_tag_a_commit_and_a_range_are_followed(origin: Origin, tmp_path: Path) -> None:
    first = origin.commit("one", a="1\n")
    origin.git("tag", "v1.0.0")
    second = origin.commit("two", a="2\n")
    origin.git("tag", "-a", "-m", "words", "v1.1.0")
    third = origin.commit("three", a="3\n")
    origin.git("tag", "v2.0.0-rc.1")
    origin.git("push", "-q", "--tags", "origin")
    for ref, expected in (
        ("v1.0.0", first), ({"tag": "v1.1.0"}, second), (first, first), ({"commit": second}, second),
        ({"semver": ">=1.0.0"}, second), ({"semver": ">=2.0.0-rc.0"}, third), ("refs/tags/v1.0.0", first),
        (None, third), ({"branch": "main"}, third),
    ):  # fmt: skip
        repository = follow(tmp_path / str(ref), origin.url, ref)
        assert await repository.fetch() == expected, ref
        assert (await repository.read(expected)).revision == expected
    with pytest.raises(SourceError, match=r"no tag in the range '>=3' \(3 tags\)"):
        await follow(tmp_path / "none", origin.url, {"semver": ">=3"}).fetch()
    with pytest.raises(SourceError, match="does not have the commit"):
        await follow(tmp_path / "missing", origin.url, "f" * 40).fetch()


async def test_a_new_version_is_taken_when_it_is_tagged(origin: Origin, tmp_path: Path) -> None:
    origin.commit("one", a="1\n")
    origin.git("tag", "v1.0.0")
    origin.git("push", "-q", "--tags", "origin")
    repository = follow(tmp_path, origin.url, {"semver": "^1"})
    await repository.fetch()
    second = origin.commit("two", a="2\n")
    origin.git("tag", "v1.2.0")
    origin.git("push", "-q", "--tags", "origin")
    assert await repository.fetch() == second


async def test_a_commit_of_a_server_that_gives_none_by_id(origin: Origin, tmp_path: Path) -> None:
    first = origin.commit("one", a="1\n")
    origin.commit("two", a="2\n")
    # Only the first version of the protocol refuses what is not advertised.
    origin.git("config", "uploadpack.allowAnySHA1InWant", "false", at=origin.served)
    repository = follow(tmp_path, origin.url, first)
    assert texts((await read(repository)).files) == {"a.yaml": "1\n"}


async def test_what_lies_beside_the_path_is_not_fetched(origin: Origin, tmp_path: Path) -> None:
    origin.write("media/film.bin", b"".join(bytes([i % 251]) * 997 for i in range(4000)))
    origin.commit(deploy__a="1\n")
    blob = origin.git("rev-parse", "HEAD:media/film.bin")
    repository = follow(tmp_path, origin.url, path="deploy")
    assert texts((await read(repository)).files) == {"a.yaml": "1\n"}
    origin.commit(deploy__a="2\n")
    assert texts((await read(repository)).files) == {"a.yaml": "2\n"}
    assert not is_fetched(tmp_path, blob)


async def test_the_whole_history_where_it_is_asked_for(origin: Origin, tmp_path: Path) -> None:
    for number in range(5):
        origin.commit(a=f"{number}\n")
    for depth, count in ((1, 1), (3, 3), (0, 5)):
        await follow(tmp_path / str(depth), origin.url, depth=depth).fetch()
        clone = tmp_path / str(depth) / "clone/repository.git"
        assert origin.git("rev-list", "--count", "refs/reconciler/current", at=clone) == str(count)


async def test_one_changed_file_is_one_new_file(origin: Origin, tmp_path: Path) -> None:
    for number in range(300):
        origin.write(f"d{number % 7}/f{number}.yaml", f"{number}\n")
    origin.commit()
    repository = follow(tmp_path, origin.url)
    before = await read(repository)
    origin.write("d3/f3.yaml", "changed\n")
    (origin.work / "d4/f4.yaml").unlink()
    origin.write("d4/new.yaml", "new\n")
    origin.commit()
    after = await read(repository)
    same = [p for p, f in after.files.items() if f is before.files.get(p)]
    assert len(same) == 298
    assert set(after.files) - set(same) == {"d3/f3.yaml", "d4/new.yaml"}
    assert list(after.files) == sorted(after.files)


async def test_no_hook_and_no_filter_runs(origin: Origin, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hook = f"#!/bin/sh\ntouch {ran}\n"
    origin.write(".gitattributes", "*.yaml filter=evil\n")
    origin.commit(a="1\n")
    repository = follow(tmp_path, origin.url)
    await read(repository)
    hooks = tmp_path / "clone/repository.git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-checkout", "post-merge", "pre-auto-gc"):
        (hooks / name).write_text(hook)
        (hooks / name).chmod(0o755)
    origin.commit(a="2\n")
    assert texts((await read(repository)).files) == {"a.yaml": "2\n"}
    assert not ran.exists()


PARTS = st.sampled_from(["a", "b", "c", ".", "..", ""])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(st.sampled_from(["a", "b", "a/b", "c", "c/a"]), PATHS, max_size=4), PATHS)
def test_a_path_never_leads_out_of_the_tree(linked: dict[str, str], path: str) -> None:
    try:
        found = links.resolve(path, linked)
    except (links.OutsideError, links.LoopError):
        return
    assert ".." not in found.split("/")
    assert not found.startswith("/")
    assert links.resolve(found, linked) == found


@given(st.dictionaries(st.sampled_from(["a", "b", "a/b", "c", "c/a"]), PATHS, max_size=5))
def test_following_links_ends_and_shows_only_what_is_there(linked: dict[str, str]) -> None:
    files = [*linked, "a/x", "b/y", "c/z"]
    for alias, target in links.follow(linked, files).aliases.items():
        assert target in files
        assert target not in linked
        assert not hidden(alias)


async def test_another_branch_tag_or_commit_is_read_beside_the_one_that_is_followed(
    tmp_path: Path,
) -> None:
    origin = Origin(tmp_path)
    first = origin.commit("first", a="a: 1\n")
    origin.git("tag", "v1")
    origin.git("push", "-q", "origin", "v1")
    second = origin.commit("second", a="a: 2\n")
    repository = follow(tmp_path, origin.url)
    assert await repository.fetch() == second
    for name in ("v1", "refs/tags/v1", first):
        found = await repository.other(name)
        assert found.revision == first
        assert texts(found.files) == {"a.yaml": "a: 1\n"}
        assert found.commit is not None
        assert found.commit.subject == "first"
    assert await repository.current() == second
    assert texts((await repository.read(second)).files) == {"a.yaml": "a: 2\n"}
    with pytest.raises(SourceError, match="does not have a branch or tag nope"):
        await repository.other("nope")
    with pytest.raises(SourceError, match="a commit is named by all its digits"):
        await repository.other(first[:8])
    with pytest.raises(SourceError, match="is not the name of a branch or a tag"):
        await repository.other("--upload-pack=touch /tmp/x")
    left = [p.name for p in (tmp_path / "clone").iterdir()]
    assert "revision" not in left


async def test_folders_that_an_overlay_builds_on_come_with_it_and_nothing_else(
    origin: Origin, tmp_path: Path
) -> None:
    origin.write("media/film.bin", b"".join(bytes([i % 251]) * 997 for i in range(4000)))
    origin.write("k/base/app.conf", "1\n")
    origin.commit(
        k__prod__kustomization="resources: [../base, ../../lib/x, ../../../etc, .., ../../k]\n",
        k__base__kustomization="components: [../part]\n",
        k__part__kustomization="kind: Component\n",
        k__other__kustomization="resources: [../base]\n",
    )
    blob = origin.git("rev-parse", "HEAD:media/film.bin")
    repository = follow(tmp_path, origin.url, path="k/prod")
    first = await read(repository)
    assert set(first.files) == {
        "kustomization.yaml",
        "../base/kustomization.yaml",
        "../base/app.conf",
        "../part/kustomization.yaml",
    }
    origin.write("k/base/app.conf", "2\n")
    origin.commit()
    second = await read(repository)
    assert texts(second.files)["../base/app.conf"] == "2\n"
    assert second.files["../part/kustomization.yaml"] == first.files["../part/kustomization.yaml"]
    assert not is_fetched(tmp_path, blob)
    origin.served.rename(tmp_path / "gone")
    again = follow(tmp_path, origin.url, path="k/prod")
    assert await again.read(await again.current()) == second, "good without the server"
