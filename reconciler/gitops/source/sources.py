"""The sources of all Applications: made as their specs say, woken by their URLs, and removed with them."""

from __future__ import annotations

import asyncio
import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import structlog

from reconciler.api import kinds
from reconciler.api.objects import name_of
from reconciler.errors import ApiError, SourceError
from reconciler.gitops.source import git
from reconciler.gitops.source.directory import DirectorySource
from reconciler.gitops.source.git import credentials, verify
from reconciler.gitops.source.git.credentials import Credentials
from reconciler.gitops.source.git.spec import FIELD
from reconciler.gitops.source.git.url import identity
from reconciler.gitops.source.selection import asks_for_everything

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.client import Client
    from reconciler.api.objects import Object
    from reconciler.clock import Clock, Entropy
    from reconciler.control import InformerCache
    from reconciler.gitops.source.git import GitSpec
    from reconciler.gitops.source.git.spec import SecretRef
    from reconciler.gitops.source.git.verify import Keys
    from reconciler.gitops.source.snapshot import Source

log = structlog.get_logger(__name__)

#: So many repositories of one server are asked or read at once: a dead server holds up its own alone.
PARALLEL = 4
#: Where an operator puts files of credentials, beside ``STATE_DIR/credentials`` and systemd's own directory.
SYSTEM_CREDENTIALS = Path("/etc/reconciler")


class Sources:
    """Makes sources, each with a directory of its own below ``directory`` where it needs one."""

    def __init__(
        self,
        directory: Path,
        client: Client,
        cache: InformerCache,
        *,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """``client`` reads the Secrets that sources name; ``cache`` tells which Applications there are."""
        self._directory = directory
        self._client = client
        self._cache = cache
        self._gone = asyncio.Event()
        cache.subscribe(kinds.APPLICATION, self._application_changed)
        self._clock = clock
        self._entropy = entropy
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._live: WeakValueDictionary[str, git.GitSource] = WeakValueDictionary()
        self._urls: dict[str, str] = {}
        self._places: dict[str, str] = {}

    def source_for(self, app: Object) -> Source:
        """Return the source that an Application names. Raises ``SourceError`` that names the field."""
        source = (app.get("spec") or {}).get("source") or {}
        path = (source.get("directory") or {}).get("path")
        given = source.get("git")
        if path and given:
            raise SourceError("spec.source: directory and git exclude each other: give one")
        if given:
            return self._git(app, given, everything=asks_for_everything(source))
        if not path:
            raise SourceError("spec.source: expected directory.path or git.url")
        everything = asks_for_everything(source)
        root = source["directory"].get("root")
        return DirectorySource(
            Path(path), clock=self._clock, everything=everything,
            within=Path(root) if root else None,
        )  # fmt: skip

    def wake(self, urls: Iterable[str]) -> list[str]:
        """Let every source look that follows one of these repositories; returns their Applications' names."""
        wanted = {identity(url) for url in urls} - {""}
        woken = []
        for name, source in list(self._live.items()):
            if self._urls.get(name) in wanted:
                source.hint()
                woken.append(name)
        return sorted(woken)

    async def run(self) -> None:
        """Remove clones that no Application wants, also of those that went while no daemon ran."""
        await self._cache.synced()
        while True:
            self._gone.clear()
            # Listed first: what is made meanwhile belongs to an Application that is already known then.
            found = await asyncio.to_thread(self._listed)
            apps = self._cache.snapshot.list(kinds.APPLICATION)
            kept = {_folder(name_of(app)) for app in apps} | self._places.keys()
            for entry in found:
                folder = entry.name.partition(".")[0]
                if folder not in kept or self._places.get(folder, entry.name) != entry.name:
                    await asyncio.to_thread(shutil.rmtree, entry, ignore_errors=True)
            await self._gone.wait()

    def _application_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            name = name_of(old)
            self._places.pop(_folder(name), None)
            self._live.pop(name, None)
            self._urls.pop(name, None)
            self._gone.set()

    def _listed(self) -> list[Path]:
        try:
            return [entry for entry in self._directory.iterdir() if entry.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            log.warning(
                "clones that nobody wants are kept",
                directory=str(self._directory),
                error=error.strerror,
            )
            return []

    def _git(self, app: Object, given: Any, *, everything: bool) -> Source:
        spec = git.parse(given)
        name = app["metadata"]["name"]
        namespace = ((app.get("spec") or {}).get("destination") or {}).get("namespace") or "default"

        async def opens() -> Credentials:
            return await self._credentials(spec, namespace)

        async def signs() -> Keys | None:
            return await self._signers(spec, namespace)

        folder = _folder(name)
        place = f"{folder}.{sha256(spec.url.text.encode()).hexdigest()[:12]}"
        # One Application has one clone: of another URL that it had before nothing is kept.
        self._places[folder] = place
        self._gone.set()
        repository = git.Repository(
            self._directory / place, spec, git.Access(opens, signs), everything=everything
        )
        source = git.GitSource(
            repository, interval=spec.interval, clock=self._clock, entropy=self._entropy,
            name=name, turns=self._turns.setdefault(spec.url.origin, asyncio.Semaphore(PARALLEL)),
        )  # fmt: skip
        self._live[name], self._urls[name] = source, spec.url.identity
        return source

    async def _credentials(self, spec: GitSpec, namespace: str) -> Credentials:
        if spec.secret is not None and spec.auth is not None:
            raise SourceError(f"{FIELD}: secretRef and auth exclude each other: give one")
        if spec.secret is not None:
            return credentials.from_secret(await self._secret(spec.secret, namespace, "secretRef"))
        if spec.auth is not None:
            return await asyncio.to_thread(
                credentials.from_operator, spec.auth, self._credential_roots()
            )
        return Credentials()

    def _credential_roots(self) -> tuple[Path, ...]:
        roots = [self._directory.parent / "credentials", SYSTEM_CREDENTIALS]
        systemd = os.environ.get("CREDENTIALS_DIRECTORY")
        return (*roots, Path(systemd)) if systemd else tuple(roots)

    async def _signers(self, spec: GitSpec, namespace: str) -> Keys | None:
        wanted = spec.verify
        if wanted is None:
            return None
        texts = [*(wanted.ssh_keys or ()), *(wanted.gpg_keys or ())]
        if wanted.secret_ref is not None:
            secret = await self._secret(wanted.secret_ref, namespace, "verify.secretRef")
            texts += credentials.texts_of(secret).values()
        return verify.keys_of(texts)

    async def _secret(self, ref: SecretRef, namespace: str, field: str) -> Object:
        where = ref.namespace or namespace
        try:
            return await self._client.get(kinds.SECRET, ref.name, where)
        except ApiError as error:
            raise SourceError(f"{FIELD}.{field}: Secret {where}/{ref.name}: {error}") from error


def _folder(name: str) -> str:
    """Return an Application's name as the beginning of a folder's: a name may have dots, the beginning none."""
    return sha256(name.encode()).hexdigest()[:16]
