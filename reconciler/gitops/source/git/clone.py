"""A bare repository of ours on disk: found, fetched into, and read. It is never checked out and runs no hooks."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import SourceError
from reconciler.gitops.source.git.command import GitError, GitTimeout, Setting, run
from reconciler.gitops.source.git.semver import Range
from reconciler.gitops.source.git.tree import DIRECTORY, Entry
from reconciler.gitops.source.snapshot import Commit

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.gitops.source.git.spec import Ref
    from reconciler.gitops.source.git.url import RepositoryUrl

#: What was fetched last, what was accepted last (of a tag the tag itself), and what was read last.
NEXT, CURRENT, READ = "refs/reconciler/next", "refs/reconciler/current", "refs/reconciler/read"
#: Reading our own disk takes no longer, in seconds.
LOCAL_SECONDS = 120.0

_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_UNADVERTISED = re.compile(
    r"not our ref|unadvertised object|no such remote ref|couldn't find remote ref"
)


class CorruptError(GitError):
    """Our repository is damaged: it has to be made anew."""


class DiskFullError(GitError):
    """There is no room."""


class Found(NamedTuple):
    """What a server has for a ref: its whole name there, and the object's id (of an annotated tag the tag's)."""

    name: str
    id: str


async def find(setting: Setting, url: RepositoryUrl, ref: Ref, seconds: float) -> Found:
    """Ask the server what a ref is now. Raises ``SourceError``; the message says what is missing."""
    names = _names(ref)
    try:
        answer = await run(setting, "ls-remote", "--quiet", "--", url.text, *names, seconds=seconds)
    except GitError as error:
        raise GitError(f"{url.text}: {error}", error.complaint) from error
    refs: dict[str, str] = {}
    for line in answer.decode("utf-8", "replace").splitlines():
        name, _, at = line.partition("\t")
        refs[at] = name
    if ref.kind == "semver":
        prefix = "refs/tags/"
        tags = [
            n.removeprefix(prefix) for n in refs if n.startswith(prefix) and not n.endswith("^{}")
        ]
        newest = Range(ref.value).newest(tags)
        if newest is None:
            raise SourceError(
                f"{url.text} has no tag in the range {ref.value!r} ({len(tags)} tags)"
            )
        return Found(prefix + newest, refs[prefix + newest])
    for name in names:
        if name in refs:
            return Found(name, refs[name])
    what = {"head": "a default branch", "auto": "a branch or tag", "name": "a ref"}
    shown = f"{what.get(ref.kind, 'a ' + ref.kind)} {ref.value}".strip()
    raise SourceError(f"{url.text} does not have {shown}")


def _names(ref: Ref) -> list[str]:
    match ref.kind:
        case "head":
            return ["HEAD"]
        case "branch":
            return [f"refs/heads/{ref.value}"]
        case "tag":
            return [f"refs/tags/{ref.value}"]
        case "auto":
            return [f"refs/heads/{ref.value}", f"refs/tags/{ref.value}"]
        case "semver":
            return ["refs/tags/*"]
        case _:
            return [ref.value]


class Clone:
    """One bare repository."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def exists(self) -> bool:
        return (self.directory / "HEAD").is_file()

    async def create(self, setting: Setting) -> None:
        """Make an empty repository; what was there goes."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(mode=0o700, parents=True)
        fresh = setting._replace(directory=None)
        await run(
            fresh, "init", "--quiet", "--bare", "--template=", str(self.directory),
            seconds=LOCAL_SECONDS,
        )  # fmt: skip

    def unlock(self) -> None:
        """Remove locks and half packs that a killed git has left: nobody else works here."""
        for pattern in ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*", "objects/**/tmp_obj_*"):
            for left in self.directory.glob(pattern):
                left.unlink(missing_ok=True)

    async def fetch(
        self,
        setting: Setting,
        url: RepositoryUrl,
        name: str,
        *,
        depth: int,
        partial: bool,
        seconds: float,
    ) -> None:
        """Fetch a ref, or a commit by its id, to ``NEXT``. ``depth`` 0: with its whole history.

        ``partial`` leaves the files' contents at the server, where it knows how to. Raises ``GitError``.
        """
        self.unlock()
        options = [f"--depth={depth}"] if depth else []
        if not depth and (self.directory / "shallow").is_file():
            options.append("--unshallow")
        if partial:
            options.append("--filter=blob:none")
        try:
            await self._fetch(setting, url, [f"+{name}:{NEXT}"], options, seconds)
        except GitError as error:
            if (
                name.startswith("refs/")
                or name == "HEAD"
                or not _UNADVERTISED.search(error.complaint)
            ):
                raise
            # A server need not give a commit by its id: it is in the history of something.
            refs = ["+refs/heads/*:refs/reconciler/heads/*", "+refs/tags/*:refs/reconciler/tags/*"]
            await self._fetch(setting, url, refs, options[1:] if depth else options, seconds)
            try:
                await self.read(setting, "update-ref", NEXT, f"{name}^{{commit}}")
            except GitError as missing:
                raise SourceError(f"{url.text} does not have the commit {name}") from missing

    async def _fetch(
        self,
        setting: Setting,
        url: RepositoryUrl,
        refs: list[str],
        options: list[str],
        seconds: float,
    ) -> None:
        try:
            await run(
                setting, "fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head",
                "--no-recurse-submodules", "--no-auto-maintenance", *options, "--", url.text, *refs,
                seconds=seconds,
            )  # fmt: skip
        except GitTimeout:
            raise
        except GitError as error:
            raise self._judged(error) from error

    async def fetch_objects(
        self, setting: Setting, url: RepositoryUrl, names: list[str], seconds: float
    ) -> None:
        """Fetch objects by their ids, as a partial clone does for itself one by one."""
        arguments = (
            "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags",
            "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance",
            "--filter=blob:none", "--stdin", "--", url.text,
        )  # fmt: skip
        given = "".join(f"{name}\n" for name in names).encode()
        try:
            await run(setting, *arguments, seconds=seconds, given=given)
        except GitTimeout:
            raise
        except GitError as error:
            raise self._judged(error) from error

    async def missing(self, setting: Setting, entry: Entry) -> list[str]:
        """Return the ids of the objects at an entry that were left at the server."""
        if entry.mode != DIRECTORY:
            return [] if await self.peeled(setting, entry.id, "blob") else [entry.id]
        listed = await self.read(
            setting, "rev-list", "--objects", "--no-object-names", "--missing=print", entry.id
        )
        return [line[1:] for line in listed.decode().split() if line.startswith("?")]

    async def read(self, setting: Setting, *arguments: str, given: bytes = b"") -> bytes:
        """Run git over our own objects. Raises ``CorruptError`` where they do not hold what they should."""
        try:
            return await run(setting, *arguments, seconds=LOCAL_SECONDS, given=given)
        except GitTimeout:
            raise
        except GitError as error:
            raise self._judged(error, local=True) from error

    async def peeled(self, setting: Setting, name: str, kind: str = "commit") -> str:
        """Return the id of the commit (or another kind) that a name of ours leads to, or an empty text."""
        try:
            found = await run(
                setting, "rev-parse", "--verify", "--quiet", f"{name}^{{{kind}}}",
                seconds=LOCAL_SECONDS,
            )  # fmt: skip
        except GitTimeout:
            raise
        except GitError:
            return ""
        return found.decode().strip()

    async def entry(self, setting: Setting, revision: str, path: str) -> Entry | None:
        """Return what a commit has at a path; an empty path is its root. None: nothing."""
        if not path:
            root = await self.read(setting, "rev-parse", "--verify", f"{revision}^{{tree}}")
            return Entry(DIRECTORY, root.decode().strip())
        listed = await self.read(setting, "ls-tree", "-z", "--full-tree", revision, "--", path)
        head, tab, _ = listed.partition(b"\t")
        if not tab:
            return None
        mode, _, name = head.decode().split(" ")
        return Entry(mode, name)

    async def commit(self, setting: Setting, name: str, ref: str, url: str) -> Commit:
        """Return who made a commit, and why."""
        form = "%H%x00%an%x00%ae%x00%ct%x00%B"
        told = await self.read(
            setting,
            "log",
            "-1",
            "--encoding=UTF-8",
            "--no-show-signature",
            f"--format={form}",
            name,
        )
        full, author, email, time, message = told.decode("utf-8", "replace").split("\0", 4)
        return Commit(full, author, email, int(time), message.strip(), ref, url)

    def _judged(self, error: GitError, *, local: bool = False) -> GitError:
        if _FULL.search(error.complaint):
            return DiskFullError(f"the disk with {self.directory} is full", error.complaint)
        if local:
            return CorruptError(f"the clone is damaged: {error}", error.complaint)
        return error
