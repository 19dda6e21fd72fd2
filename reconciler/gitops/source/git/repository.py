"""One repository followed: asked, fetched, verified, accepted, read, and made anew where its clone is damaged."""

from __future__ import annotations

import contextlib
import re
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from reconciler.errors import SourceError
from reconciler.gitops.source.git import session, submodules, tree
from reconciler.gitops.source.git.beside import FoldersBeside
from reconciler.gitops.source.git.clone import (
    CURRENT,
    NEXT,
    READ,
    Clone,
    DiskFullError,
    Found,
    find,
)
from reconciler.gitops.source.git.command import GitError, GitTimeout, Setting, run_program
from reconciler.gitops.source.git.spec import FIELD, named
from reconciler.gitops.source.git.verify import Keys, verify
from reconciler.gitops.source.snapshot import File, Problem, Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.gitops.source.git.credentials import Credentials
    from reconciler.gitops.source.git.spec import GitSpec
    from reconciler.gitops.source.git.tree import Smudge
    from reconciler.gitops.source.git.url import RepositoryUrl

log = structlog.get_logger(__name__)

#: After so many fetches the clone's packs are put together.
FETCHES_BETWEEN_PACKS = 100
_RECORD = "accepted.json"
_ABBREVIATED = re.compile(r"[0-9a-f]{4,39}")


class Access(NamedTuple):
    """How credentials and allowed signers are had, each time anew: they may have been changed. May raise ``SourceError``."""

    credentials: Callable[[], Awaitable[Credentials]]
    signers: Callable[[], Awaitable[Keys | None]]


class Accepted(msgspec.Struct, frozen=True):
    """What is written down of the revision that was accepted last: for what, and the ref's whole name at the server."""

    asked: str
    name: str


class Repository:
    """A repository under ``directory``, which is its own. Not for two callers at once."""

    def __init__(
        self,
        directory: Path,
        spec: GitSpec,
        access: Access,
        level: int = 0,
        *,
        everything: bool = False,
    ) -> None:
        """``everything``: read files of every name, as Kustomize and Helm need."""
        self._level = level
        self._everything = everything
        self._where = directory
        self._spec = spec
        self._access = access
        self._clone = Clone(directory / "repository.git")
        self._accepted = ""
        self._seen = Found("", "")
        self._tree = tree.EMPTY
        self._beside = FoldersBeside(spec.path)
        self._signers: Keys | None = None
        self._read = ""
        self._fetches = 0
        self._submodules: dict[str, submodules.Submodule] = {}

    async def current(self) -> str:
        """Return the revision that was accepted last and is on disk, without the network; empty: there is none.

        One that was accepted for another ref or path does not count: what is asked for now was never looked at.
        """
        self._where.mkdir(mode=0o700, parents=True, exist_ok=True)
        session.sweep(self._where)
        record = self._record()
        if record is None or not self._clone.exists():
            return ""
        with self._local() as setting:
            revision = await self._clone.peeled(setting, CURRENT)
            if not revision:
                return ""
            found = Found(record.name, await self._clone.peeled(setting, CURRENT, "object"))
        # Who may sign may have been changed since.
        await self._verify(found, revision)
        self._accepted, self._seen = revision, found
        return revision

    async def fetch(self) -> str:
        """Ask the server and return the revision that is to be, fetched and verified. Raises ``SourceError``."""
        self._where.mkdir(mode=0o700, parents=True, exist_ok=True)
        spec, ref = self._spec, self._spec.ref
        signers = await self._access.signers()
        settled = bool(self._accepted) and signers == self._signers
        if ref.kind == "commit" and settled and self._accepted == ref.value:
            return self._accepted  # it cannot become another
        given = await self._access.credentials()
        with session.remote(self._where, self._clone.directory, spec.url, given) as setting:
            if ref.kind == "commit":
                found = Found(ref.value, ref.value)
            else:
                found = await find(setting._replace(directory=None), spec.url, ref, spec.timeout)
            if found == self._seen and settled:
                return self._accepted
            await self._fetch(setting, found)
            revision = await self._accept(setting, found)
            self._seen = found
            await self._pack(setting)
        return revision

    async def read(self, revision: str) -> Snapshot:
        """Return the files of a revision. Raises ``SourceError``, and ``CorruptError`` where the clone is damaged."""
        with self._local() as setting:
            found = await self._entry(setting, revision)
            record = self._record()
            ref = record.name if record is not None else ""
            commit = await self._clone.commit(setting, revision, ref, self._spec.url.text)
            if found.mode == tree.DIRECTORY:
                files, problems = await self._directory(setting, found.id, revision)
            else:
                files, problems = await self._one_file(setting, found.id)
        self._read = revision
        told = tuple(sorted(problems.values()))
        return Snapshot(revision, files, told, commit)

    async def _entry(self, setting: Setting, revision: str) -> tree.Entry:
        """Return what a revision has at our path. Raises ``SourceError`` for what cannot be a source."""
        path = self._spec.path
        found = await self._clone.entry(setting, revision, path)
        if found is None:
            raise SourceError(f"{FIELD}.path: {revision[:12]} has no {path!r}")
        if found.mode == tree.LINK:
            raise SourceError(f"{FIELD}.path: {path!r} is a symbolic link")
        return found

    async def repair(self) -> str:
        """Make the clone anew; the old one stays until there is a better. Raises ``SourceError``."""
        self._seen = Found("", "")
        self._tree, self._read = self._tree._replace(id=""), ""
        self._clone.directory.joinpath("HEAD").unlink(missing_ok=True)
        return await self.fetch()

    # -- what was accepted ---------------------------------------------------------------------------------------

    def _record(self) -> Accepted | None:
        """Return what was accepted last, as long as it is what is asked for."""
        try:
            found = msgspec.json.decode((self._where / _RECORD).read_bytes(), type=Accepted)
        except (OSError, msgspec.DecodeError):
            return None
        return found if found.asked == self._asked() else None

    def _asked(self) -> str:
        spec = self._spec
        return f"{spec.ref.kind} {spec.ref.value} {spec.path}"

    # -- fetching ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _local(self) -> Iterator[Setting]:
        with session.local(self._where, self._clone.directory) as setting:
            yield setting

    async def _fetch(self, setting: Setting, found: Found) -> None:
        spec = self._spec
        if self._clone.exists():
            try:
                await self._fetch_into(self._clone, setting, found)
            except (GitTimeout, DiskFullError):
                raise
            except GitError as error:
                # The server has just answered: more often than not the damage is on our side.
                log.warning("fetch failed: trying a new clone", url=spec.url.text, error=str(error))
            else:
                return
        # A clone is begun beside the old one, and takes its place when it is whole.
        fresh = Clone(self._where / "fresh.git")
        await fresh.create(setting)
        await self._fetch_into(fresh, setting._replace(directory=fresh.directory), found)
        shutil.rmtree(self._clone.directory, ignore_errors=True)
        fresh.directory.rename(self._clone.directory)
        self._tree, self._read = self._tree._replace(id=""), ""

    async def _fetch_into(self, clone: Clone, setting: Setting, found: Found) -> None:
        spec = self._spec
        await clone.fetch(
            setting, spec.url, found.name,
            depth=spec.depth, partial=bool(spec.path), seconds=spec.timeout,
        )  # fmt: skip
        self._fetches += 1

    async def _accept(self, setting: Setting, found: Found) -> str:
        """Accept what was fetched once it is verified and whole: from then on it is good without the server."""
        clone = self._clone
        revision = await clone.peeled(setting, NEXT)
        if not revision:
            raise SourceError(f"{found.name} of {self._spec.url.text} does not lead to a commit")
        fetched = Found(found.name, await clone.peeled(setting, NEXT, "object"))
        await self._verify(fetched, revision)
        entry = await self._entry(setting, revision)
        await self._complete(setting, entry)
        await self._complete_beside(setting, entry, revision)
        await clone.read(setting, "update-ref", CURRENT, fetched.id)
        record = Accepted(asked=self._asked(), name=found.name)
        (self._where / _RECORD).write_bytes(msgspec.json.encode(record))
        self._accepted = revision
        return revision

    async def _verify(self, found: Found, revision: str) -> None:
        spec, keys = self._spec.verify, await self._access.signers()
        if spec is not None and keys is not None:
            await verify(
                self._where, self._clone.directory, keys,
                mode=spec.mode or "HEAD", ref=found.name, name=found.id, commit=revision,
            )  # fmt: skip
        self._signers = keys

    async def _complete(self, setting: Setting, entry: tree.Entry) -> None:
        """Fetch what a partial clone has left at the server of the objects that are to be read."""
        if self._spec.path:
            missing = await self._clone.missing(setting, entry)
            if missing:
                url, seconds = self._spec.url, self._spec.timeout
                await self._clone.fetch_objects(setting, url, missing, seconds)

    async def _complete_beside(self, setting: Setting, entry: tree.Entry, revision: str) -> None:
        """Fetch what kustomizations name beside our path: they are known by what was just completed."""
        if not self._spec.path or entry.mode != tree.DIRECTORY:
            return
        git = self._git(setting)
        read = await tree.read(git, entry.id, self._tree, everything=self._everything)
        if not read.selection.everything:
            return

        async def complete(folder: tree.Entry) -> None:
            await self._complete(setting, folder)

        # A pointer of LFS that is read here must not be what is known of it afterwards.
        beside = FoldersBeside(self._spec.path) if self._spec.lfs else self._beside
        await beside.added(git, revision, read.files, None, complete)

    async def _pack(self, setting: Setting) -> None:
        """Put the packs of many fetches together, and forget what is in none of our revisions."""
        if self._fetches < FETCHES_BETWEEN_PACKS:
            return
        self._fetches = 0
        with contextlib.suppress(SourceError):
            if self._read:
                # The next one is read by its difference from this one.
                await self._clone.read(setting, "update-ref", READ, self._read)
            await self._clone.read(setting, "gc", "--quiet", "--prune=now")

    # -- reading -------------------------------------------------------------------------------------------------

    def _git(self, setting: Setting) -> tree.Git:
        async def git(*arguments: str, given: bytes = b"") -> bytes:
            return await self._clone.read(setting, *arguments, given=given)

        return git

    async def _one_file(
        self, setting: Setting, name: str
    ) -> tuple[Mapping[str, File], dict[str, Problem]]:
        path = self._spec.path.rpartition("/")[2]
        one = tree.Tree(name, {path: tree.Entry("100644", name)}, {}, {}, links=False)
        return await tree.contents(self._git(setting), one, self._smudge(setting))

    async def _directory(
        self, setting: Setting, name: str, revision: str
    ) -> tuple[Mapping[str, File], dict[str, Problem]]:
        git = self._git(setting)
        smudge = self._smudge(setting)
        self._tree = await tree.read(git, name, self._tree, smudge, everything=self._everything)
        files, problems = self._tree.files, dict(self._tree.problems)
        if self._spec.path and self._tree.selection.everything:
            files, more = await self._beside.added(git, revision, files, smudge)
            problems |= more
        wanted = self._tree.submodules
        if not (self._spec.submodules and wanted):
            return files, problems
        urls = submodules.urls(
            await git("config", "--blob", f"{revision}:.gitmodules", "--list", "-z"), self._spec.url
        )
        merged = dict(files)
        for path, commit in sorted(wanted.items()):
            problems.pop(path, None)
            whole = f"{self._spec.path}/{path}" if self._spec.path else path
            found, told = await self._submodule(urls, whole, commit)
            merged |= {f"{path}/{p}": f.renamed(f"{path}/{p}") for p, f in found.items()}
            problems |= {f"{path}/{p.path}": p._replace(path=f"{path}/{p.path}") for p in told}
        return dict(sorted(merged.items())), problems

    async def _submodule(
        self, urls: Mapping[str, RepositoryUrl], path: str, commit: str
    ) -> tuple[Mapping[str, File], tuple[Problem, ...]]:
        url = urls.get(path)
        if self._level >= submodules.DEEPEST:
            raise SourceError(
                f"submodule {path}: more than {submodules.DEEPEST} within one another"
            )
        if url is None:
            raise SourceError(f"submodule {path}: .gitmodules gives it no url")
        spec = self._spec._replace(
            url=url, path="", ref=self._spec.ref._replace(kind="commit", value=commit), verify=None
        )
        directory = self._where / "modules" / sha256(path.encode()).hexdigest()[:16]
        kept = self._submodules.get(path)
        if kept is None or kept.url != url:
            access = self._access
            if url.origin != self._spec.url.origin:
                access = Access(submodules.no_credentials, access.signers)
            kept = submodules.Submodule(url, Repository(directory, spec, access, self._level + 1))
            self._submodules[path] = kept
        snapshot = await kept.repository.at(commit)
        return snapshot.files, snapshot.problems

    async def at(self, commit: str) -> Snapshot:
        """Return the files of one commit, fetched where it is not there yet. Raises ``SourceError``."""
        self._spec = self._spec._replace(ref=self._spec.ref._replace(kind="commit", value=commit))
        if self._accepted != commit and await self.current() != commit:
            await self.fetch()
        return await self.read(commit)

    async def other(self, name: str) -> Snapshot:
        """Return the files of another branch, tag or commit, verified as any; what is followed stays as it is.

        Raises ``SourceError``.
        """
        directory = self._where / "revision"
        shutil.rmtree(directory, ignore_errors=True)
        other = Repository(
            directory,
            self._spec._replace(ref=named(name)),
            self._access,
            everything=self._everything,
        )
        try:
            return await other.read(await other.fetch())
        except SourceError as error:
            if _ABBREVIATED.fullmatch(name):
                raise SourceError(f"{error} (a commit is named by all its digits)") from error
            raise
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    # -- Git LFS -------------------------------------------------------------------------------------------------

    def _smudge(self, setting: Setting) -> Smudge | None:
        if not self._spec.lfs:
            return None

        async def smudge(path: str, pointer: bytes) -> bytes:
            given = await self._access.credentials()
            url = self._spec.url
            with session.remote(self._where, setting.directory, url, given) as online:
                allowed = online._replace(
                    extra={
                        "GIT_LFS_SKIP_SMUDGE": "0",
                        "GIT_DIR": str(setting.directory),
                        "GIT_CONFIG_COUNT": "1",
                        "GIT_CONFIG_KEY_0": "remote.origin.url",
                        "GIT_CONFIG_VALUE_0": url.text,
                    }
                )
                try:
                    return await run_program(
                        allowed, "git-lfs", "smudge", "--", path,
                        seconds=self._spec.timeout, given=pointer,
                    )  # fmt: skip
                except GitError as error:
                    raise SourceError(f"{path}: Git LFS: {error}") from error

        return smudge
