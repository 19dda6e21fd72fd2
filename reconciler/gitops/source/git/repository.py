"""One repository followed: asked, fetched, verified, accepted, read, and made anew where its clone is damaged."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import SourceError
from reconciler.gitops.source.git import session, submodules, tree
from reconciler.gitops.source.git.clone import CURRENT, NEXT, Clone, CorruptError, Found, find
from reconciler.gitops.source.git.command import GitError, Setting, run_program
from reconciler.gitops.source.git.spec import FIELD
from reconciler.gitops.source.git.verify import Keys, verify
from reconciler.gitops.source.snapshot import File, Problem, Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.gitops.source.git.credentials import Credentials
    from reconciler.gitops.source.git.spec import GitSpec
    from reconciler.gitops.source.git.tree import Smudge
    from reconciler.gitops.source.git.url import RepositoryUrl

#: After so many fetches the clone's packs are put together.
FETCHES_BETWEEN_PACKS = 100
_PACK_SECONDS = 600.0


class Access(NamedTuple):
    """How credentials and allowed signers are had, each time anew: they may have been changed. May raise ``SourceError``."""

    credentials: Callable[[], Awaitable[Credentials]]
    signers: Callable[[], Awaitable[Keys | None]]


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
        self._fetches = 0
        self._submodules: dict[str, submodules.Submodule] = {}

    async def current(self) -> str:
        """Return the revision that was accepted last and is on disk, without the network; empty: there is none."""
        self._where.mkdir(mode=0o700, parents=True, exist_ok=True)
        session.sweep(self._where)
        if not self._clone.exists():
            return ""
        with self._local() as setting:
            revision = await self._clone.peeled(setting, CURRENT)
            if not revision:
                return ""
            found = Found(self._ref(), await self._clone.peeled(setting, CURRENT, "object"))
        # Who may sign may have been changed since.
        await self._verify(found.name, found.id, revision)
        self._accepted, self._seen = revision, found
        return revision

    def _ref(self) -> str:
        """Return the name at the server of what was accepted last."""
        try:
            return (self._where / "ref").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    async def fetch(self) -> str:
        """Ask the server and return the revision that is to be, fetched and verified. Raises ``SourceError``."""
        self._where.mkdir(mode=0o700, parents=True, exist_ok=True)
        spec, ref = self._spec, self._spec.ref
        if ref.kind == "commit" and self._accepted == ref.value:
            return self._accepted  # it cannot become another
        given = await self._access.credentials()
        with session.remote(self._where, self._clone.directory, spec.url, given) as setting:
            if ref.kind == "commit":
                found = Found(ref.value, ref.value)
            else:
                found = await find(setting._replace(directory=None), spec.url, ref, spec.timeout)
            if found == self._seen and self._accepted:
                return self._accepted
            await self._fetch(setting, found)
            revision = await self._accept(setting, found)
            self._seen = found
            await self._pack(setting)
        return revision

    async def read(self, revision: str) -> Snapshot:
        """Return the files of a revision. Raises ``SourceError``, and ``CorruptError`` where the clone is damaged."""
        spec = self._spec
        with self._local() as setting:
            found = await self._clone.entry(setting, revision, spec.path)
            if found is None:
                raise SourceError(f"{FIELD}.path: {revision[:12]} has no {spec.path!r}")
            if found.mode == tree.LINK:
                raise SourceError(f"{FIELD}.path: {spec.path!r} is a symbolic link")
            commit = await self._clone.commit(setting, revision, self._ref(), spec.url.text)
            await self._complete(found)
            if found.mode == tree.DIRECTORY:
                files, problems = await self._directory(setting, found.id, revision)
            else:
                files, problems = await self._one_file(setting, found.id)
        told = tuple(sorted(problems.values()))
        return Snapshot(revision, files, told, commit)

    async def repair(self) -> str:
        """Make the clone anew; the old one stays until there is a better. Raises ``SourceError``."""
        self._seen = Found("", "")
        self._tree = tree.EMPTY
        self._clone.directory.joinpath("HEAD").unlink(missing_ok=True)
        return await self.fetch()

    def remove(self) -> None:
        """Remove everything from disk."""
        shutil.rmtree(self._where, ignore_errors=True)

    # -- fetching ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _local(self) -> Iterator[Setting]:
        with session.local(self._where, self._clone.directory) as setting:
            yield setting

    async def _fetch(self, setting: Setting, found: Found) -> None:
        if self._clone.exists():
            try:
                await self._fetch_into(self._clone, setting, found)
            except CorruptError:
                pass
            else:
                return
        # A clone is begun beside the old one, and takes its place when it is whole.
        fresh = Clone(self._where / "fresh.git")
        await fresh.create(setting)
        await self._fetch_into(fresh, setting._replace(directory=fresh.directory), found)
        shutil.rmtree(self._clone.directory, ignore_errors=True)
        fresh.directory.rename(self._clone.directory)
        self._tree = tree.EMPTY

    async def _fetch_into(self, clone: Clone, setting: Setting, found: Found) -> None:
        spec = self._spec
        await clone.fetch(
            setting, spec.url, found.name,
            depth=spec.depth, partial=bool(spec.path), seconds=spec.timeout,
        )  # fmt: skip
        self._fetches += 1

    async def _accept(self, setting: Setting, found: Found) -> str:
        clone = self._clone
        revision = await clone.peeled(setting, NEXT)
        name = await clone.peeled(setting, NEXT, "object")
        if not revision:
            raise SourceError(f"{found.name} of {self._spec.url.text} does not lead to a commit")
        await self._verify(found.name, name, revision)
        await clone.read(setting, "update-ref", CURRENT, name)
        (self._where / "ref").write_text(found.name, encoding="utf-8")
        self._accepted = revision
        return revision

    async def _verify(self, ref: str, name: str, revision: str) -> None:
        spec = self._spec.verify
        keys = await self._access.signers()
        if spec is not None and keys is not None:
            await verify(
                self._where, self._clone.directory, keys,
                mode=spec.mode or "HEAD", ref=ref, name=name, commit=revision,
            )  # fmt: skip

    async def _pack(self, setting: Setting) -> None:
        """Put the packs of many fetches together, and forget what is in none of our revisions."""
        if self._fetches < FETCHES_BETWEEN_PACKS:
            return
        self._fetches = 0
        with contextlib.suppress(SourceError):
            async with asyncio.timeout(_PACK_SECONDS):
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

    async def _complete(self, entry: tree.Entry) -> None:
        """Fetch what a partial clone has left at the server of the objects that are to be read."""
        if not self._spec.path:
            return
        with self._local() as setting:
            missing = await self._clone.missing(setting, entry)
        if missing:
            given = await self._access.credentials()
            url, seconds = self._spec.url, self._spec.timeout
            with session.remote(self._where, self._clone.directory, url, given) as setting:
                await self._clone.fetch_objects(setting, url, missing, seconds)

    async def _directory(
        self, setting: Setting, name: str, revision: str
    ) -> tuple[Mapping[str, File], dict[str, Problem]]:
        git = self._git(setting)
        self._tree = await tree.read(
            git, name, self._tree, self._smudge(setting), everything=self._everything
        )
        files, problems = self._tree.files, dict(self._tree.problems)
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
            merged |= {f"{path}/{p}": f._replace(path=f"{path}/{p}") for p, f in found.items()}
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
