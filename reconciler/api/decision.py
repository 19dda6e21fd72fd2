"""What a controller decides, as data. ``control`` performs it; controllers never touch a Client.

``plan(snapshot, key, now) -> Decision`` is pure: the same snapshot and time give the same decision, and when the
world already is as decided, the decision is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.api.client import Propagation
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Key, Object


class Notice(NamedTuple):
    """A Kubernetes Event to record about ``regarding``. ``type`` is Normal or Warning."""

    regarding: Object
    type: str
    reason: str
    message: str


class Create(NamedTuple):
    """Create an object (names may come from ``metadata.generateName``). AlreadyExists is reported back, not fatal.

    ``notice`` is recorded once the object exists; ``{name}`` in its message stands for the name it got.
    """

    obj: Object
    notice: Notice | None = None


class Update(NamedTuple):
    """Replace an object; its resourceVersion is the precondition."""

    obj: Object


class Patch(NamedTuple):
    """Merge-patch one object (RFC 7386). ``uid``, where given, is a precondition."""

    kind: Kind
    namespace: str
    name: str
    patch: dict[str, Any]
    uid: str = ""
    subresource: str = ""


class Delete(NamedTuple):
    """Delete one object. ``uid`` is a precondition; NotFound counts as done."""

    kind: Kind
    namespace: str
    name: str
    uid: str = ""
    grace_seconds: int | None = None
    propagation: Propagation | None = None


class UpdateStatus(NamedTuple):
    """Set an object's status, whole. The executor skips it when nothing changes (decision 7)."""

    kind: Kind
    namespace: str
    name: str
    status: dict[str, Any]
    uid: str = ""


class Absent(NamedTuple):
    """Go on only if this object (or, without ``name``, any object of the kind in the namespace) does not exist.

    Asked of the API itself, since a cache may lag: garbage collection looks twice before it deletes. With ``uid``,
    an object of that name with another uid counts as absent. Otherwise the decision fails with ``Conflict``.
    """

    kind: Kind
    namespace: str
    name: str = ""
    uid: str = ""


Action = Create | Update | Patch | Delete | UpdateStatus | Absent


class Decision(NamedTuple):
    """What to do now. Actions run in order; ``requeue_after`` seconds later the key is planned again.

    When an action fails, the rest of the decision is dropped, ``on_error`` may add a last word (a status that says
    ``FailedCreate``), and the key is planned again after a back-off. A batch (tuple of actions within ``actions``)
    may run concurrently.
    """

    actions: tuple[Action | tuple[Action, ...], ...] = ()
    events: tuple[Notice, ...] = ()
    requeue_after: float | None = None
    on_error: Callable[[Action, Exception], Decision] | None = None


#: Nothing to do.
NOTHING = Decision()


class Snapshot(Protocol):
    """A consistent, read-only picture of the objects, answered from indexes in memory. Never change what it returns."""

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return one object; cluster-scoped kinds take namespace ``""``."""
        ...

    def list(self, kind: Kind, namespace: str | None = None) -> Iterable[Object]:
        """Return a kind's objects, of one namespace or (None) of all, in order of their names."""
        ...

    def owned(self, kind: Kind, uid: str) -> Iterable[Object]:
        """Return the objects of a kind whose ownerReferences name ``uid`` (controller or not)."""
        ...

    def matching(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Iterable[Object]:
        """Return the objects of one namespace that carry all these labels; cost follows the rarest label."""
        ...

    def selecting(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Iterable[Object]:
        """Return the objects of one namespace whose ``spec.selector`` may match these labels.

        The turned-round question of ``matching``, for kinds with a selector. A superset: test each in full.
        """
        ...

    def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds that this snapshot knows of."""
        ...


class Watch(NamedTuple):
    """A kind whose changes concern a controller, and which of its keys each change wakes.

    ``keys`` gets the changed object (its last state when deleted) and the snapshot.
    """

    kind: Kind
    keys: Callable[[Object, Snapshot], Iterable[Key]]


class Controller(Protocol):
    """One module a kind: what it watches, and what it decides.

    ``name`` is its field manager and the source of its Events, as in Kubernetes: ``deployment-controller``.
    """

    @property
    def name(self) -> str: ...

    @property
    def watches(self) -> tuple[Watch, ...]: ...

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one key. The object may be gone: the event was only a hint."""
        ...
