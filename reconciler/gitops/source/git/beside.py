"""The folders of a repository beside a source's path that its kustomizations build on, out of git's objects."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from reconciler.gitops.source.bases import Bases
from reconciler.gitops.source.git import tree

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reconciler.gitops.source.snapshot import File, Problem


class FoldersBeside:
    """Remembers what it has read: a folder that did not change costs a look at its name."""

    def __init__(self, path: str) -> None:
        """``path`` is the source's in the repository; nothing above its top can be named."""
        self._path = path
        self._bases = Bases()
        self._trees: dict[str, tree.Tree] = {}

    async def added(
        self,
        git: tree.Git,
        revision: str,
        files: Mapping[str, File],
        smudge: tree.Smudge | None,
        complete: Callable[[tree.Entry], Awaitable[None]] | None = None,
    ) -> tuple[Mapping[str, File], dict[str, Problem]]:
        """Return the files with those of these folders, and what cannot be read of them. Raises ``GitError``.

        ``complete`` is called with each folder before it is read, to fetch what a partial clone lacks of it.
        """
        trees: dict[str, tree.Tree] = {}
        problems: dict[str, Problem] = {}
        asked: set[str] = set()
        every, new = dict(files), files
        while targets := self._bases.missing(new, asked):
            asked.update(targets)
            found: dict[str, File] = {}
            for target in targets:
                entry = await self._entry(git, revision, target)
                if entry is None:
                    continue
                if complete is not None:
                    await complete(entry)
                before = self._trees.get(target, tree.EMPTY)
                read = await tree.read(git, entry.id, before, smudge, everything=True)
                trees[target] = read
                for path, file in read.files.items():
                    found[f"{target}/{path}"] = file.renamed(f"{target}/{path}")
                for path, problem in read.problems.items():
                    problems[f"{target}/{path}"] = problem._replace(path=f"{target}/{path}")
            every |= found
            new = found
        self._trees = trees
        return (every if trees else files), problems

    async def _entry(self, git: tree.Git, revision: str, target: str) -> tree.Entry | None:
        """Return the folder there; None where there is none, or where it holds the source's own path."""
        path = posixpath.normpath(posixpath.join(self._path, target))
        if path in ("", ".", "..") or path.startswith(("../", "/")):
            return None
        if f"{self._path}/".startswith(f"{path}/"):
            return None
        listed = await git("ls-tree", "-z", "--full-tree", revision, "--", path)
        head, tab, _ = listed.partition(b"\t")
        if not tab:
            return None
        mode, _, name = head.decode().split(" ")
        return tree.Entry(mode, name) if mode == tree.DIRECTORY else None
