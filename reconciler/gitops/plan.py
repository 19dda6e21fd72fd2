"""Changes as a graph: what must precede what, and why. Pure.

Order comes from sync waves, then from the order of kinds (Argo CD's), then from ``depends-on``. Waves and kinds meet
in barriers, so the number of edges grows with the number of changes and not with its square.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import Key, Object, annotations_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.gitops.diff import FieldChange

WAVE_ANNOTATIONS = ("reconciler.dev/sync-wave", "argocd.argoproj.io/sync-wave")
DEPENDS_ANNOTATIONS = ("reconciler.dev/depends-on", "config.kubernetes.io/depends-on")
PRUNE_ANNOTATION = "reconciler.dev/prune"

#: Kinds in the order they are applied in; what is not named comes last, before Ingress.
_KIND_ORDER = (
    "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodDisruptionBudget", "ServiceAccount",
    "Secret", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim",
    "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Service",
    "DaemonSet", "Pod", "ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job",
    "CronJob", "IngressClass",
)  # fmt: skip
_PLACE = {kind: index for index, kind in enumerate(_KIND_ORDER)}
_AFTER_ALL = len(_KIND_ORDER) + 1

#: Data is never pruned without being told to.
_KEPT_KINDS = frozenset({"PersistentVolumeClaim", "PersistentVolume"})


class Change(NamedTuple):
    """What shall happen to one object. ``action``: create, update, unchanged or prune."""

    action: str
    key: Key
    object: Object | None  # as desired; None for a prune
    fields: tuple[FieldChange, ...] = ()
    cause: str = ""

    @property
    def wave(self) -> int:
        return wave_of(self.object) if self.object is not None else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "group": self.key.group,
            "kind": self.key.kind,
            "namespace": self.key.namespace,
            "name": self.key.name,
            "cause": self.cause,
            "fields": [{"path": f.path, "before": f.before, "after": f.after} for f in self.fields],
        }


class Step(NamedTuple):
    """Changes of one wave and one kind's place: they start together when all that precedes them is done."""

    wave: int
    place: int
    changes: tuple[Change, ...]


class Plan(NamedTuple):
    """Steps in order, the dependencies within them, and what is pruned after the rest."""

    steps: tuple[Step, ...]
    depends: Mapping[Key, tuple[Key, ...]]
    prunes: tuple[Change, ...]
    cycle: tuple[Key, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        return (*(c for s in self.steps for c in s.changes), *self.prunes)

    @property
    def is_empty(self) -> bool:
        return all(c.action == "unchanged" for c in self.changes)

    def to_json(self) -> dict[str, Any]:
        return {"changes": [c.to_json() for c in self.changes if c.action != "unchanged"]}


def wave_of(obj: Object) -> int:
    """Return an object's sync wave; what is not a number is wave 0."""
    annotations = annotations_of(obj)
    for name in WAVE_ANNOTATIONS:
        try:
            return int(annotations[name])
        except (KeyError, ValueError):
            continue
    return 0


def may_prune(live: Object) -> bool:
    """Whether an object that nobody wants any more may be deleted by a sync."""
    if live.get("kind") in _KEPT_KINDS:
        return False
    return annotations_of(live).get(PRUNE_ANNOTATION) not in ("disabled", "confirm")


def plan(changes: Iterable[Change]) -> Plan:
    """Order changes. A cycle of ``depends-on`` is reported in ``cycle``; then nothing should be applied."""
    wanted: dict[tuple[int, int], list[Change]] = {}
    prunes: list[Change] = []
    depends: dict[Key, tuple[Key, ...]] = {}
    known: set[Key] = set()
    for change in changes:
        if change.object is None:
            prunes.append(change)
            continue
        known.add(change.key)
        wanted.setdefault((change.wave, place_of(change.key.kind)), []).append(change)
        names = depends_on(change.object)
        if names:
            depends[change.key] = names
    depends = {k: tuple(d for d in deps if d in known) for k, deps in depends.items()}
    cycle = find_cycle(depends)
    if not cycle:
        wanted = _after_what_they_need(wanted, depends)
    steps = tuple(
        Step(wave, place, tuple(sorted(group, key=lambda c: c.key)))
        for (wave, place), group in sorted(wanted.items())
    )
    prunes.sort(key=lambda c: (-place_of(c.key.kind), c.key))
    return Plan(steps, depends, tuple(prunes), cycle)


def _after_what_they_need(
    wanted: dict[tuple[int, int], list[Change]], depends: Mapping[Key, tuple[Key, ...]]
) -> dict[tuple[int, int], list[Change]]:
    """Move changes back to the step of what they depend on, where their own comes before that."""
    if not depends:
        return wanted
    at = {c.key: step for step, group in wanted.items() for c in group}
    moved = True
    while moved:
        moved = False
        for key, needs in depends.items():
            latest = max((at[n] for n in needs if n in at), default=at[key])
            if latest > at[key]:
                at[key], moved = latest, True
    result: dict[tuple[int, int], list[Change]] = {}
    for group in wanted.values():
        for change in group:
            result.setdefault(at[change.key], []).append(change)
    return result


def place_of(kind: str) -> int:
    """Return a kind's place in the order of application."""
    return _AFTER_ALL if kind == "Ingress" else _PLACE.get(kind, _AFTER_ALL - 1)


def depends_on(obj: Object) -> tuple[Key, ...]:
    """Return the objects that an object's annotation names, comma separated.

    Ours is ``group/version/Kind/namespace/name`` (``v1/Secret/default/db`` for the core group); cli-utils' form is
    ``group/namespaces/namespace/Kind/name``, with an empty group for core.
    """
    found: list[Key] = []
    for name in DEPENDS_ANNOTATIONS:
        for text in annotations_of(obj).get(name, "").split(","):
            match text.strip().split("/"):
                case [group, "namespaces", namespace, kind, named]:
                    found.append(Key(group, kind, namespace, named))
                case [group, _, kind, namespace, named]:
                    found.append(Key(group, kind, namespace, named))
                case ["v1", kind, namespace, named]:
                    found.append(Key("", kind, namespace, named))
                case [group, _, kind, named]:
                    found.append(Key(group, kind, "", named))
                case ["v1" | "", kind, named]:
                    found.append(Key("", kind, "", named))
    return tuple(found)


def find_cycle(depends: Mapping[Key, tuple[Key, ...]]) -> tuple[Key, ...]:
    """Return one cycle, first key repeated at its end; empty where there is none."""
    done: set[Key] = set()
    for start in sorted(depends):
        path: list[Key] = []
        on_path: set[Key] = set()
        stack: list[tuple[Key, bool]] = [(start, False)]
        while stack:
            key, leaving = stack.pop()
            if leaving:
                path.pop()
                on_path.discard(key)
                done.add(key)
                continue
            if key in on_path:
                return (*path[path.index(key) :], key)
            if key in done:
                continue
            path.append(key)
            on_path.add(key)
            stack.append((key, True))
            stack.extend((d, False) for d in depends.get(key, ()))
    return ()


_MARKS = {"create": "+", "update": "~", "prune": "-"}


def text(found: Plan) -> str:
    """Return a plan as a user reads it: one line a change, its fields below it."""
    lines: list[str] = []
    for change in found.changes:
        if change.action == "unchanged":
            continue
        where = f"{change.key.namespace}/" if change.key.namespace else ""
        lines.append(
            f"{_MARKS[change.action]} {change.key.kind} {where}{change.key.name}  ({change.cause})"
        )
        if change.action == "update":
            lines += [
                f"    {f.path}: {_short(f.before)} → {_short(f.after)}" for f in change.fields
            ]
    counts = {
        a: sum(c.action == a for c in found.changes)
        for a in ("create", "update", "prune", "unchanged")
    }
    lines.append(
        f"{counts['create']} to create, {counts['update']} to update, {counts['prune']} to prune, "
        f"{counts['unchanged']} unchanged"
    )
    return "\n".join(lines)


def _short(value: Any) -> str:
    if value is None:
        return "(none)"
    shown = str(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"
