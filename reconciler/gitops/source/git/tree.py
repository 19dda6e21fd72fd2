"""Files out of git's objects: trees are compared by id, so that one changed file costs one file.

Nothing is checked out. A path is a name in a tree and a symbolic link a short text, so that neither can reach a file of
this machine, no filter or hook runs, and a half-finished checkout cannot exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from reconciler.gitops.source.contents import LARGEST_FILE
from reconciler.gitops.source.git import links
from reconciler.gitops.source.git.command import GitError
from reconciler.gitops.source.selection import Selection, is_built
from reconciler.gitops.source.snapshot import File, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: All files of a source together, in bytes.
LARGEST_TREE = 64 * 1024 * 1024
LARGEST_LINK = 4096

LINK, SUBMODULE, DIRECTORY = "120000", "160000", "040000"
_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_LARGEST_POINTER = 1024


class Git(Protocol):
    """Runs git over one repository, without the network. Raises ``GitError``."""

    async def __call__(self, *arguments: str, given: bytes = b"") -> bytes: ...


class Entry(NamedTuple):
    """A name in a tree: what it is, and the object's id."""

    mode: str
    id: str


class Tree(NamedTuple):
    """What was read of a tree. ``entries`` are those that matter; with links all are kept, for they may matter."""

    id: str
    entries: Mapping[str, Entry]
    files: Mapping[str, File]
    problems: Mapping[str, Problem]
    links: bool
    selection: Selection = Selection()

    @property
    def submodules(self) -> dict[str, str]:
        """The paths of submodules, each with the commit that is asked for."""
        return {p: e.id for p, e in self.entries.items() if e.mode == SUBMODULE}


EMPTY = Tree("", {}, {}, {}, links=False)


async def read(
    git: Git,
    tree: str,
    before: Tree,
    smudge: Smudge | None = None,
    *,
    everything: bool = False,
) -> Tree:
    """Read the tree of that id, given one that was read before: what has not changed is not read again.

    ``smudge`` turns an LFS pointer into what it points to; without it a pointer is a problem. ``everything``: files of
    every name are read; so it is, too, where the root holds what Kustomize or Helm builds. Raises ``GitError``.
    """
    if tree == before.id:
        return before
    selection = Selection(everything)
    if not everything:
        names = await git("ls-tree", "-z", "--name-only", "--full-tree", tree)
        selection = Selection(is_built([_text(name) for name in names.split(b"\0")]))
    entries: dict[str, Entry] | None = None
    if before.id and not before.links and before.selection == selection:
        entries = await _advanced(git, tree, before)
    if entries is None:
        entries = listed(await git("ls-tree", "-r", "-z", "--full-tree", tree))
    linked = {p: e for p, e in entries.items() if e.mode == LINK}
    wanted: dict[str, Entry] = entries
    problems: dict[str, Problem] = {}
    if linked:
        wanted, problems = await _with_links(git, entries, linked, selection)
    else:
        entries = wanted = {p: e for p, e in entries.items() if _matters(p, e, selection)}
    blobs = {
        p: e.id for p, e in wanted.items() if e.mode not in (LINK, SUBMODULE) and selection.path(p)
    }
    for path, entry in wanted.items():
        if entry.mode == SUBMODULE and not hidden(path):
            told = "a submodule: its files are not read (spec.source.git.submodules: true fetches them)"
            problems[path] = Problem(path, "source/submodule", told, "warning")
    files = await _files(git, blobs, before, problems, smudge)
    return Tree(tree, entries, files, problems, bool(linked), selection)


async def contents(
    git: Git, tree: Tree, smudge: Smudge | None
) -> tuple[Mapping[str, File], dict[str, Problem]]:
    """Return the files of entries, whatever their names are (a source that is one file). Raises ``GitError``."""
    problems: dict[str, Problem] = {}
    blobs = {p: e.id for p, e in tree.entries.items()}
    return await _files(git, blobs, EMPTY, problems, smudge), problems


class Smudge(Protocol):
    """Turns an LFS pointer into the file. Raises ``SourceError``."""

    async def __call__(self, path: str, pointer: bytes) -> bytes: ...


def listed(data: bytes) -> dict[str, Entry]:
    """Read what ``ls-tree -r -z`` prints."""
    found = {}
    for line in data.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            mode, _, name = head.decode().split(" ")
            found[_text(path)] = Entry(mode, name)
    return found


def changed(data: bytes) -> dict[str, Entry | None]:
    """Read what ``diff-tree -r -z --raw --no-renames`` prints: the new entry of each changed path, None: it is gone."""
    found: dict[str, Entry | None] = {}
    parts = data.split(b"\0")
    for head, path in zip(parts[::2], parts[1::2], strict=False):
        _, mode, _, name, status = head.decode().split(" ")
        found[_text(path)] = None if status == "D" else Entry(mode, name)
    return found


def hidden(path: str) -> bool:
    """Whether a path is, or lies in, what begins with a dot."""
    return path.startswith(".") or "/." in path


def _matters(path: str, entry: Entry, selection: Selection) -> bool:
    return entry.mode in (LINK, SUBMODULE) or selection.path(path)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


async def _advanced(git: Git, tree: str, before: Tree) -> dict[str, Entry] | None:
    """Return the entries of a tree by its difference from another; None where all must be listed."""
    raw = await git("diff-tree", "-r", "-z", "--raw", "--no-renames", before.id, tree)
    entries = dict(before.entries)
    for path, entry in changed(raw).items():
        if entry is None:
            entries.pop(path, None)
        elif entry.mode == LINK:
            return None
        elif _matters(path, entry, before.selection):
            entries[path] = entry
        else:
            entries.pop(path, None)
    return entries


async def _with_links(
    git: Git, entries: Mapping[str, Entry], linked: Mapping[str, Entry], selection: Selection
) -> tuple[dict[str, Entry], dict[str, Problem]]:
    small = await _small(git, {e.id for e in linked.values()}, LARGEST_LINK)
    texts = await _blobs(git, small)
    targets = {p: _text(texts[e.id]) for p, e in linked.items() if e.id in texts}
    followed = links.follow(targets, entries)
    shown = {p: entries[at] for p, at in followed.aliases.items() if entries[at].mode != LINK}
    problems = {
        p: told
        for p, told in followed.problems.items()
        if not hidden(p) and (told.rule != "source/outside" or selection.path(p))
    }
    return {**entries, **shown}, problems


async def _files(
    git: Git,
    blobs: Mapping[str, str],
    before: Tree,
    problems: dict[str, Problem],
    smudge: Smudge | None,
) -> dict[str, File]:
    """Return the files of blobs (path → id); of those that were read before only what differs is read."""
    old = before.files
    kept = {p: f for p, f in old.items() if blobs.get(p) == f.digest}
    missing = {p: i for p, i in blobs.items() if p not in kept}
    data = await _load(git, missing, problems)
    for path, name in missing.items():
        if name not in data:
            continue
        content = data[name]
        if is_pointer(content):
            if smudge is None:
                told = "a Git LFS pointer: the file is not fetched (spec.source.git.lfs: true fetches it)"
                problems[path] = Problem(path, "source/lfs-pointer", told)
                continue
            content = await smudge(path, content)
        kept[path] = File(path, name, content)
    if missing:
        return dict(sorted(kept.items()))
    return kept


async def _load(
    git: Git, wanted: Mapping[str, str], problems: dict[str, Problem]
) -> dict[str, bytes]:
    """Return the contents of blobs by id. What is too large is a problem of each of its paths."""
    if not wanted:
        return {}
    small = await _small(git, set(wanted.values()), LARGEST_FILE)
    for path, name in wanted.items():
        if name not in small:
            told = f"larger than {LARGEST_FILE // 1024 // 1024} MiB"
            problems[path] = Problem(path, "source/too-large", told)
    return await _blobs(git, small)


async def _small(git: Git, names: set[str], most: int) -> set[str]:
    """Return those objects that are no larger than ``most`` bytes. Raises ``GitError`` where one is missing."""
    answer = await git("cat-file", "--batch-check", given=_lines(names))
    small, total = set(), 0
    for line in answer.decode().splitlines():
        name, kind, *size = line.split(" ")
        if kind != "blob" or not size:
            raise GitError(f"object {name} is {kind}", "bad object")
        if int(size[0]) <= most:
            small.add(name)
            total += int(size[0])
    if total > LARGEST_TREE:
        raise GitError(f"the manifests are larger than {LARGEST_TREE // 1024 // 1024} MiB together")
    return small


async def _blobs(git: Git, names: Iterable[str]) -> dict[str, bytes]:
    wanted = list(names)
    if not wanted:
        return {}
    answer = await git("cat-file", "--batch", given=_lines(wanted))
    found, at = {}, 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        name, kind, *size = answer[at:end].decode().split(" ")
        if kind != "blob":
            raise GitError(f"object {name} is {kind}", "bad object")
        at = end + 1
        found[name] = answer[at : at + int(size[0])]
        at += int(size[0]) + 1
    return found


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def is_pointer(data: bytes) -> bool:
    """Whether a file's content only says where Git LFS keeps it (git-lfs' specification, version 1)."""
    return len(data) <= _LARGEST_POINTER and data.startswith(_LFS)
