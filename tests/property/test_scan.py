"""Looking at the files that were touched finds what looking at all of them finds."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconciler.gitops.source.scan import Scanner

NAMES = ("a.yaml", "b.yaml", "c.txt", ".d.yaml", "sub/a.yaml", "sub/.git/x.yaml", "sub/e.yaml.j2")
STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.sampled_from(("one", "two", ""))),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(
        st.just("link"),
        st.sampled_from(NAMES),
        st.sampled_from(("a.yaml", "../outside/a.yaml", "..")),
    ),
)


def step(root: Path, action: str, name: str, more: str) -> set[str]:
    """Do it; returns the paths that a watcher would name."""
    path = root / name
    with contextlib.suppress(OSError):
        match action:
            case "write":
                # Through a link it is the link's target that is written.
                target = Path(os.path.realpath(path))
                if target.is_relative_to(root):
                    path.write_text(more)
                    return {name, str(target.relative_to(root))}
            case "delete":
                path.unlink()
            case "rename":
                path.rename(root / more)
                return {name, more}
            case "link":
                path.symlink_to(more)
    return {name}


@given(st.lists(st.lists(STEPS, min_size=1, max_size=4), max_size=6))
def test_touched_files_are_enough(rounds: list[list[tuple[str, str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, outside = Path(folder).resolve() / "root", Path(folder).resolve() / "outside"
        (root / "sub/.git").mkdir(parents=True)
        outside.mkdir()
        (outside / "a.yaml").write_text("secret")
        scanner = Scanner(root)
        scanner.scan()
        for steps in rounds:
            touched: set[str] = set()
            for one in steps:
                touched |= step(root, *one)
            assert scanner.scan(touched) == Scanner(root).scan()


@given(st.sampled_from(NAMES))
def test_a_directory_that_became_a_link_is_not_read_through(name: str) -> None:
    """A touched path is read only where it really lies below the root."""
    with tempfile.TemporaryDirectory() as folder:
        root, outside = Path(folder).resolve() / "root", Path(folder).resolve() / "outside"
        root.mkdir()
        (outside / "sub/.git").mkdir(parents=True)
        for each in NAMES:
            (outside / each).write_text("secret")
        scanner = Scanner(root)
        scanner.scan()
        (root / "sub").symlink_to(outside / "sub")
        found = scanner.scan({name})
        assert not found.files
