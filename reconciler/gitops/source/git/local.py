"""What lies at a path of the user's own checkout in another revision of it. Nothing is fetched or checked out."""

from __future__ import annotations

import tempfile
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.gitops.source.git import session, tree
from reconciler.gitops.source.git.beside import FoldersBeside
from reconciler.gitops.source.git.command import GitError, run
from reconciler.gitops.source.snapshot import Snapshot

#: Reading a revision takes no longer than this, in seconds.
SECONDS = 60.0


async def at_ref(path: Path, ref: str, *, forked: bool = False) -> Snapshot:
    """Return the files of a path as they are in a commit; none where the path is not there. Raises ``SourceError``.

    ``forked``: in the commit where what is checked out left it (``git merge-base``), as a pull request is compared.
    """
    absolute, root = _within(path)
    with (
        tempfile.TemporaryDirectory(prefix="reconciler-plan-") as where,
        session.local(Path(where), root / ".git") as setting,
    ):

        async def git(*arguments: str, given: bytes = b"") -> bytes:
            return await run(setting, *arguments, seconds=SECONDS, given=given)

        commit = await _id(git, f"{ref}^{{commit}}")
        if not commit:
            raise SourceError(
                f"{ref} is no commit of {root}: a shallow checkout has to fetch it first "
                "(actions/checkout: fetch-depth: 0)"
            )
        if forked:
            commit = await _fork(git, commit, ref)
        inside = absolute.relative_to(root).as_posix()
        name = await _id(git, f"{commit}:{'' if inside == '.' else inside}")
        if not name:
            return Snapshot(commit, {})
        if (await git("cat-file", "-t", name)).strip() == b"blob":
            one = tree.Tree(name, {absolute.name: tree.Entry("100644", name)}, {}, {}, links=False)
            files, problems = await tree.contents(git, one, None)
            return Snapshot(commit, files, tuple(problems.values()))
        found = await tree.read(git, name, tree.EMPTY)
        files, problems = found.files, dict(found.problems)
        if inside != "." and found.selection.everything:
            files, told = await FoldersBeside(inside).added(git, commit, files, None)
            problems |= told
        return Snapshot(commit, files, tuple(problems.values()))


def _within(path: Path) -> tuple[Path, Path]:
    """Return a path as it really is, and the root of the checkout that holds it. Raises ``SourceError``."""
    absolute = path.resolve()
    for root in (absolute, *absolute.parents):
        if (root / ".git").exists():
            return absolute, root
    raise SourceError(f"{path}: no git repository holds it")


async def _fork(git: tree.Git, commit: str, ref: str) -> str:
    """Return the commit where what is checked out left another. Raises ``SourceError`` where the two have none in common."""
    try:
        found = await git("merge-base", commit, "HEAD")
    except GitError as error:
        raise SourceError(
            f"{ref} and what is checked out have no commit in common: a shallow checkout has to fetch "
            "more (actions/checkout: fetch-depth: 0)"
        ) from error
    return found.decode().split()[0]


async def _id(git: tree.Git, name: str) -> str:
    """Return the id of what a name stands for; empty for nothing."""
    try:
        found = await git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    except GitError:
        return ""
    return found.decode().strip().splitlines()[-1]
