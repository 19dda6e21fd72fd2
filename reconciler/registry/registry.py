"""The registry: ``Client`` in this process.

Each request runs the steps of a kube-apiserver, in their order: read the head → merge → prepare → default → validate → allocate → track owners → stage → durable → seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds, patches
from reconciler.api.client import (
    DeleteOptions,
    PatchType,
    Propagation,
)
from reconciler.api.managed_fields import apply as server_side_apply
from reconciler.api.managed_fields import track
from reconciler.api.objects import Key, Object, copy
from reconciler.api.strategic import strategic_merge
from reconciler.clock import rfc3339
from reconciler.errors import (
    AlreadyExists,
    BadRequest,
)
from reconciler.registry import (
    admission,
    defaults,
    naming,
    pod_security,
    refusals,
    strategy,
    subresources,
)
from reconciler.registry.allocation import ServiceAllocator
from reconciler.registry.log import RevisionLog
from reconciler.registry.measures import held
from reconciler.registry.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.api.kinds import Kind
    from reconciler.clock import Clock, Entropy
    from reconciler.registry.cache import GroupKinds
    from reconciler.store.protocol import Store
    from reconciler.telemetry.measures import Family

Objects = list[Object]


class Registry(Reader):
    """Every object, its rules and its watches. Implements ``api.client.Client``.

    ``start`` before and ``close`` after use.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        entropy: Entropy,
        service_cidr: str = "10.96.0.0/12",
        pod_security_level: str = "privileged",
    ) -> None:
        self._clock = clock
        self._pod_security_level = pod_security_level
        self._entropy = entropy
        self._store = store
        self._services = ServiceAllocator(service_cidr)
        super().__init__(RevisionLog(store, self._reset_allocation))

    async def start(self) -> None:
        """Read the store; raises ``StoreError``."""
        await self._log.start()
        self._reset_allocation()

    async def close(self) -> None:
        """Make durable what is under way, and close the store."""
        await self._log.close()

    async def backup(self, path: Path) -> None:
        """Write a consistent copy of the store while in use."""
        await self._store.backup(path)

    async def check(self) -> None:
        """Find out whether the store can still be written. Raises ``StoreError``."""
        await self._store.check()

    @property
    def problem(self) -> str:
        """Why the store refused the last write; empty when it did not."""
        return self._log.problem

    def measures(self) -> list[Family]:
        """Return the store's figures. Implements ``telemetry.measures.Measured``."""
        now = held(self._log.revision, self._store.size(), self._log.cache)
        return [*now, *self._log.measures.families()]

    @property
    def revision(self) -> int:
        """The newest revision that reads show."""
        return self._log.revision

    def kinds(self) -> GroupKinds:
        """Return the (group, kind) of everything that is stored, for discovery and namespace deletion."""
        return self._log.cache.kinds()

    def _reset_allocation(self) -> None:
        self._services.reset(self._log.cache.list("", "Service"))

    # -- writes --------------------------------------------------------------------------------------------------

    async def create(
        self, obj: Object, *, field_manager: str = "", dry_run: bool = False
    ) -> Object:
        kind = self._kind(obj)
        obj = copy(obj)
        meta = obj.setdefault("metadata", {})
        if not isinstance(meta, dict):
            raise BadRequest("metadata must be a mapping")
        naming.place_in_namespace(obj, kind)
        if meta.get("resourceVersion"):
            raise BadRequest("resourceVersion should not be set on objects to be created")
        key = naming.name(obj, kind, self._log, self._entropy)
        if self._log.head(key) is not None:
            raise AlreadyExists(
                f'{kind.resource} "{key.name}" already exists',
                kind=kind.plural, group=kind.group, name=key.name,
            )  # fmt: skip
        return await self._create(obj, kind, key, field_manager, dry_run=dry_run)

    async def _create(
        self,
        obj: Object,
        kind: Kind,
        key: Key,
        manager: str,
        *,
        dry_run: bool,
        owners: Objects | None = None,
    ) -> Object:
        """Take a new object (a private copy) in. ``owners`` are its managedFields where apply worked them out."""
        if kind.namespaced:
            defaults.check_namespace(kind, key.namespace, key.name, self._log.head)
        now = self._clock.now()
        strategy.prepare_create(obj, kind, self._entropy.uid(), now)
        refusals.refuse(kind, key.name, admission.validate_shape(obj))
        defaults.fill_classes(obj, kind, self._listed)
        admission.default(obj)
        refusals.refuse(kind, key.name, admission.validate_create(obj))
        if kind is kinds.POD:
            pod_security.check(obj, self._log.head, self._pod_security_level)
        if kind is kinds.SERVICE:
            self._services.fill(obj, None, hold=not dry_run)
        if owners is None and manager:
            owners = track(None, obj, manager=manager, gvk=kind.gvk, time=rfc3339(now))
        if owners:
            obj["metadata"]["managedFields"] = owners
        return await self._write(key, None, obj, dry_run=dry_run)

    async def update(
        self, obj: Object, *, subresource: str = "", field_manager: str = "", dry_run: bool = False
    ) -> Object:
        kind = self._kind(obj)
        if kind.namespaced and not (obj.get("metadata") or {}).get("namespace"):
            obj = {**obj, "metadata": {**(obj.get("metadata") or {}), "namespace": "default"}}
        key = Key.of(obj)
        before = self._log.head(key)
        if before is None:
            raise refusals.not_found(kind, key.name)
        given = revision_text(obj)
        if given and given != revision_text(before):
            raise refusals.modified(kind, key.name)
        return await self._replace(
            kind, key, before, obj, subresource, field_manager, dry_run=dry_run
        )

    async def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        patch: Any,
        *,
        type: PatchType = PatchType.MERGE,  # noqa: A002 - the API's own word
        subresource: str = "",
        field_manager: str = "",
        dry_run: bool = False,
    ) -> Object:
        key = naming.key_of(kind, name, namespace)
        before = self._log.head(key)
        if before is None:
            raise refusals.not_found(kind, name)
        match type:
            case PatchType.JSON:
                after = patches.json_patch(before, patch)
            case PatchType.MERGE:
                after = patches.merge_patch(before, patch)
            case PatchType.STRATEGIC:
                after = strategic_merge(before, patch, kind.gvk)
            case PatchType.APPLY:
                raise BadRequest("apply is a request of its own")
        if not isinstance(after.get("metadata"), dict):
            raise BadRequest("the patch leaves no object")
        if revision_text(after) != revision_text(before):
            raise refusals.modified(kind, name)
        refusals.check_identity(kind, before, after)
        return await self._replace(
            kind, key, before, after, subresource, field_manager, dry_run=dry_run
        )

    async def apply(
        self,
        obj: Object,
        *,
        field_manager: str,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        if not field_manager:
            raise BadRequest("fieldManager is required for apply patch")
        kind = self._kind(obj)
        obj = {**obj, "metadata": dict(obj.get("metadata") or {})}
        naming.place_in_namespace(obj, kind)
        if obj["metadata"].get("managedFields"):
            raise BadRequest("metadata.managedFields must be nil")
        key = Key.of(obj)
        if not key.name:
            raise BadRequest("metadata.name is required to apply an object")
        before = self._log.head(key)
        if before is not None:
            if revision_text(obj) not in ("", revision_text(before)):
                raise refusals.modified(kind, key.name)
            refusals.check_identity(kind, before, {**obj, "apiVersion": before["apiVersion"]})
        merged = server_side_apply(
            before, obj, manager=field_manager, gvk=kind.gvk, time=rfc3339(self._clock.now()),
            force=force, subresource=subresource,
        )  # fmt: skip
        owners = merged["metadata"].get("managedFields") or []
        if before is None:
            if subresource:
                raise refusals.not_found(kind, key.name)
            return await self._create(
                copy(merged), kind, key, field_manager, dry_run=dry_run, owners=owners
            )
        return await self._replace(
            kind, key, before, merged, subresource, field_manager, dry_run=dry_run, owners=owners
        )

    async def _replace(
        self,
        kind: Kind,
        key: Key,
        before: Object,
        given: Object,
        subresource: str,
        manager: str,
        *,
        dry_run: bool,
        owners: Objects | None = None,
    ) -> Object:
        """Put ``given`` in the place of ``before``. Neither is changed; parts of them may be shared by the result."""
        if subresource:
            after = subresources.written(kind, before, given, subresource, self._clock.now())
            subresource = subresources.owner_of(subresource)
        else:
            after = self._prepare(kind, key, before, given, dry_run=dry_run)
        if kind is kinds.POD:
            pod_security.check_change(before, after, self._log.head, self._pod_security_level)
        meta = after["metadata"]
        if owners is None:
            if manager:
                owners = track(
                    before, after, manager=manager, gvk=kind.gvk,
                    time=rfc3339(self._clock.now()), subresource=subresource,
                )  # fmt: skip
            else:
                owners = before["metadata"].get("managedFields")
        if owners:
            meta["managedFields"] = owners
        else:
            meta.pop("managedFields", None)
        meta["resourceVersion"] = before["metadata"]["resourceVersion"]
        if after == before:
            return before
        if strategy.may_go(after, kind):
            return await self._remove(kind, key, after, dry_run=dry_run)
        return await self._write(key, before, after, dry_run=dry_run)

    def _prepare(
        self, kind: Kind, key: Key, before: Object, given: Object, *, dry_run: bool
    ) -> Object:
        """Return the object that an update makes: prepared, defaulted, validated."""
        changed = strategy.spec_changed(given, before) or kind.kind == "Secret"
        after = copy(given) if changed else {**given, "metadata": copy(given.get("metadata") or {})}
        if changed:
            refusals.refuse(kind, key.name, admission.validate_shape(after))
            admission.default(after)
        strategy.prepare_update(after, before, kind)
        if changed or after["metadata"] != before["metadata"]:
            refusals.refuse(kind, key.name, admission.validate_update(before, after))
        if changed and kind is kinds.PERSISTENT_VOLUME_CLAIM:
            defaults.check_growth(before, after, self._log.head)
        if changed and kind is kinds.SERVICE:
            self._services.fill(after, before, hold=not dry_run)
        return after

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        options: DeleteOptions = DeleteOptions(),  # noqa: B008 - immutable
    ) -> Object:
        key = naming.key_of(kind, name, namespace)
        before = self._log.head(key)
        if before is None:
            raise refusals.not_found(kind, name)
        refusals.check_preconditions(kind, before, options)
        if options.propagation is None and kind.kind == "Job":
            options = options._replace(propagation=Propagation.ORPHAN)
        deletion = strategy.prepare_delete(before, kind, options, self._clock.now())
        if deletion.gone:
            return await self._remove(kind, key, before, dry_run=options.dry_run)
        if deletion.after is None:
            return before
        return await self._write(key, before, deletion.after, dry_run=options.dry_run)

    async def _write(
        self, key: Key, before: Object | None, after: Object, *, dry_run: bool
    ) -> Object:
        if dry_run:
            return after
        revision = self._log.next_revision()
        after["metadata"]["resourceVersion"] = str(revision)
        await self._log.commit(key, revision, before, after, after)
        return after

    async def _remove(self, kind: Kind, key: Key, last: Object, *, dry_run: bool) -> Object:
        """Take an object away; its last state carries the revision of its deletion."""
        if dry_run:
            return last
        before = self._log.head(key)
        revision = self._log.next_revision()
        last = {**last, "metadata": {**last["metadata"], "resourceVersion": str(revision)}}
        if kind is kinds.SERVICE:
            self._services.release(last)
        await self._log.commit(key, revision, before, None, last)
        return last

    def _kind(self, obj: Object) -> Kind:
        return naming.kind_of(
            obj, self._log.cache.list("apiextensions.k8s.io", "CustomResourceDefinition")
        )

    def _listed(self, kind: Kind) -> Iterator[Object]:
        return self._log.cache.list(kind.group, kind.kind)


def revision_text(obj: Object) -> str:
    """Return metadata.resourceVersion as it stands."""
    return str((obj.get("metadata") or {}).get("resourceVersion") or "")
