"""Restart on change: a workload rolls when a ConfigMap or Secret that its template reads has changed.

Not of Kubernetes itself. The first hash seen is only remembered, on the workload; a later, other one goes into the
template, which rolls it as any change of a template does. A change that an Application's sync brings is the sync's own:
it rolls the readers where its order puts them, so what it has not finished is left to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import config_hash, kinds
from reconciler.api.decision import NOTHING, Decision, Patch, Watch
from reconciler.api.objects import Key, annotations_of, is_deleting, name_of, namespace_of, uid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

_APPLICATION = "reconciler.dev/application"
#: Phases of a sync that may not have come to the readers of what it changed.
_UNFINISHED = frozenset({"Running", "Failed", "Interrupted"})
#: Whether a sync has ended is looked at so often, in seconds.
HELD_SECONDS = 2.0


class RestartOnChange:
    """Plans one kind of workload."""

    def __init__(self, kind: kinds.Kind) -> None:
        self._kind = kind
        self.name = f"restart-on-change-{kind.singular}"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(self._kind, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.CONFIG_MAP, self._readers(kinds.CONFIG_MAP)),
            Watch(kinds.SECRET, self._readers(kinds.SECRET)),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002
        """Decide for one workload; while something it reads is missing, nothing is decided."""
        obj = snapshot.get(self._kind, key.namespace, key.name)
        if obj is None or is_deleting(obj):
            return NOTHING
        wanted = config_hash.reads(obj)
        found = [snapshot.get(kind, key.namespace, name) for kind, name in wanted]
        present = [config for config in found if config is not None]
        if not wanted or len(present) < len(wanted):
            return NOTHING
        digest = config_hash.hash_of(present)
        seen = annotations_of(obj).get(config_hash.OBSERVED)
        if seen == digest:
            return NOTHING
        patch: dict[str, Any] = {"metadata": {"annotations": {config_hash.OBSERVED: digest}}}
        changed = bool(seen) and config_hash.reads_the_same(str(seen), digest)
        if changed and config_hash.marked(obj) != digest:
            if _is_syncing(obj, present, snapshot):
                return Decision(requeue_after=HELD_SECONDS)
            mark = {"metadata": {"annotations": {config_hash.HASH: digest}}}
            patch["spec"] = {"template": mark}
        return Decision((Patch(self._kind, key.namespace, key.name, patch, uid=uid_of(obj)),))

    def _readers(self, kind: kinds.Kind) -> Callable[[Object, Snapshot], Iterable[Key]]:
        def keys(config: Object, snapshot: Snapshot) -> Iterator[Key]:
            for obj in snapshot.list(self._kind, namespace_of(config)):
                if (kind, name_of(config)) in config_hash.reads(obj):
                    yield Key.of(obj)

        return keys


def _is_syncing(workload: Object, configs: Iterable[Object], snapshot: Snapshot) -> bool:
    """Whether an Application that has both the workload and what it reads is amid a sync."""
    name = annotations_of(workload).get(_APPLICATION)
    if not name or all(annotations_of(c).get(_APPLICATION) != name for c in configs):
        return False
    app = snapshot.get(kinds.APPLICATION, "", name)
    operation = ((app or {}).get("status") or {}).get("operation") or {}
    return operation.get("phase") in _UNFINISHED
