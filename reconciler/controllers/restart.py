"""Restart on change: a workload rolls when a ConfigMap or Secret that its template reads has changed.

Not of Kubernetes itself. The first hash seen is only remembered, on the workload; a later, other one goes into the
template, which rolls it as any change of a template does.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.decision import NOTHING, Decision, Patch, Watch
from reconciler.api.objects import Key, annotations_of, is_deleting, name_of, namespace_of, uid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

OBSERVED = "reconciler.dev/observed-config-hash"
HASH = "reconciler.dev/config-hash"
SWITCH = "reconciler.dev/restart-on-change"

Reference = tuple[kinds.Kind, str]


class RestartOnChange:
    """Plans one kind of workload, Deployments or StatefulSets."""

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
        if obj is None or is_deleting(obj) or annotations_of(obj).get(SWITCH) == "disabled":
            return NOTHING
        wanted = sorted(set(references(obj)), key=lambda r: (r[0].kind, r[1]))
        found = [snapshot.get(kind, key.namespace, name) for kind, name in wanted]
        present = [config for config in found if config is not None]
        if not wanted or len(present) < len(wanted):
            return NOTHING
        digest = _digest(present)
        seen = annotations_of(obj).get(OBSERVED)
        if seen == digest:
            return NOTHING
        patch: dict[str, Any] = {"metadata": {"annotations": {OBSERVED: digest}}}
        if seen and seen.partition(".")[0] == digest.partition(".")[0]:
            patch["spec"] = {"template": {"metadata": {"annotations": {HASH: digest}}}}
        return Decision((Patch(self._kind, key.namespace, key.name, patch, uid=uid_of(obj)),))

    def _readers(self, kind: kinds.Kind) -> Callable[[Object, Snapshot], Iterable[Key]]:
        def keys(config: Object, snapshot: Snapshot) -> Iterator[Key]:
            for obj in snapshot.list(self._kind, namespace_of(config)):
                if (kind, name_of(config)) in references(obj):
                    yield Key.of(obj)

        return keys


def _digest(configs: list[Object]) -> str:
    """Return two hashes: of what is read (a change of the template rolls by itself), and of its content."""
    names = [(config.get("kind"), name_of(config)) for config in configs]
    content = [(config.get("data"), config.get("binaryData")) for config in configs]
    return ".".join(
        hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]
        for part in (names, content)
    )


def references(workload: Object) -> Iterator[Reference]:
    """Return the ConfigMaps and Secrets a workload's template reads."""
    spec = (workload["spec"].get("template") or {}).get("spec") or {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for source in container.get("envFrom") or ():
            yield from _named(source, "configMapRef", "secretRef")
        for variable in container.get("env") or ():
            yield from _named(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")
    for volume in spec.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            yield from _named(source, "configMap", "secret")


def _named(source: Object, config_map: str, secret: str) -> Iterator[Reference]:
    for field, kind in ((config_map, kinds.CONFIG_MAP), (secret, kinds.SECRET)):
        ref = source.get(field) or {}
        name = ref.get("name") or ref.get("secretName")
        if name:
            yield kind, str(name)
