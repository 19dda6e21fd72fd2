"""The Client protocol: the one way to objects.

``registry`` implements it in this process, ``client`` over HTTP against any API server; ``gitops``, the controllers
and the kubelet cannot tell which. Semantics are those of a kube-apiserver; errors are ``errors.ApiError``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object


class EventType(StrEnum):
    """What a watch event says. ``BOOKMARK`` carries only a resourceVersion."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class WatchEvent(NamedTuple):
    """One change. ``object`` is the object after it (for DELETED: its last state, at the deletion's revision)."""

    type: EventType
    object: Object


class ObjectList(NamedTuple):
    """A consistent list: every item as it was at ``resource_version``."""

    items: list[Object]
    resource_version: str
    continue_token: str = ""
    remaining: int | None = None


class PatchType(StrEnum):
    """The patch formats by their media types."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Propagation(StrEnum):
    """What happens to dependents on deletion (G01, G03, G04)."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class DeleteOptions(NamedTuple):
    """How to delete. ``grace_seconds`` None = the object's own; ``uid``/``resource_version`` are preconditions."""

    grace_seconds: int | None = None
    propagation: Propagation | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


class Client(Protocol):
    """Read and write objects. Returned objects are shared: never change them."""

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """Return one object; raises ``NotFound``."""
        ...

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> ObjectList:
        """List a kind, everywhere or in one namespace, by label and field selector (their text forms)."""
        ...

    def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        since: str,
        labels: str = "",
        fields: str = "",
        bookmarks: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield every change after revision ``since``, in order, until closed.

        Raises ``Gone`` when that revision is compacted, or the reader was too slow: list again.
        """
        ...

    async def create(
        self, obj: Object, *, field_manager: str = "", dry_run: bool = False
    ) -> Object:
        """Create; honours ``generateName``; raises ``AlreadyExists``, ``Invalid``, ``Forbidden``."""
        ...

    async def update(
        self, obj: Object, *, subresource: str = "", field_manager: str = "", dry_run: bool = False
    ) -> Object:
        """Replace. With metadata.resourceVersion it must be the current one, else ``Conflict`` (M03).

        ``subresource="status"`` replaces only the status, ``"ephemeralcontainers"`` only a Pod's: they may be added to.
        """
        ...

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
        """Change parts: a JSON, merge or strategic merge patch (``apply`` is its own method).

        A patch of a Pod's ``spec.nodeName`` to the subresource ``binding`` assigns it to a node, once.
        """
        ...

    async def apply(
        self,
        obj: Object,
        *,
        field_manager: str,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply (M06-M10): create, or own exactly the fields given; ``Conflict`` names other managers."""
        ...

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        options: DeleteOptions = DeleteOptions(),  # noqa: B008 - immutable
    ) -> Object:
        """Ask for deletion; returns the object as it stands then (perhaps with a deletionTimestamp)."""
        ...
