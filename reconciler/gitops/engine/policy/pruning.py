"""Which objects that nobody wants any more may be deleted, and which wait. Decided before the first delete.

An outage that empties a repository must not empty a server (argo-cd#3473): an empty render never prunes, not even when
somebody confirms. Beyond ``pruneLimit`` all wait; so do, each by itself, kinds that hold data or carry others away with
them. ``sync --confirm-prune`` confirms exactly the objects that were shown: their digest is what is confirmed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import annotations_of, uid_of
from reconciler.gitops.plan.dependencies import references

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.api.objects import Key, Object

PRUNE_ANNOTATION = "reconciler.dev/prune"
ARGO_OPTIONS = "argocd.argoproj.io/sync-options"

#: Deleted only when confirmed: they hold data, or what they hold goes with them.
CONFIRMED_KINDS = frozenset(
    {
        ("", "PersistentVolumeClaim"),
        ("", "PersistentVolume"),
        ("", "Namespace"),
        ("apps", "StatefulSet"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("reconciler.dev", "Application"),
    }
)
#: Without a ``pruneLimit``: more than so many objects, and more than this part of all, wait.
DEFAULT_COUNT = 10
DEFAULT_PERCENT = 50


class PruneLimit(NamedTuple):
    """More than so many ``objects``, or more than ``percent`` of all, are not pruned without a confirmation.

    ``grace`` objects are always allowed by the percentage (of three objects, one is 33 percent).
    """

    objects: int | None = None
    percent: int | None = DEFAULT_PERCENT
    grace: int = DEFAULT_COUNT

    def exceeded(self, prunes: int, total: int) -> str:
        """Return how the limit is exceeded; empty when it is not."""
        if self.objects is not None and prunes > self.objects:
            return f"{prunes} objects would be pruned, and pruneLimit.count is {self.objects}"
        if self.percent is not None and prunes > self.grace and prunes * 100 > self.percent * total:
            share = prunes * 100 / total if total else 100
            return (
                f"{prunes} of {total} objects ({share:.0f} %) would be pruned, "
                f"and pruneLimit.percent is {self.percent}"
            )
        return ""


class Held(NamedTuple):
    """An object that is not pruned, and why. Only what is ``confirmable`` goes when it is confirmed."""

    key: Key
    reason: str
    confirmable: bool = True


class Pruning(NamedTuple):
    """What is pruned, and what waits. ``digest`` stands for all that a confirmation would let go; empty: nothing."""

    prunes: tuple[Key, ...] = ()
    held: tuple[Held, ...] = ()
    digest: str = ""


def prune_verdict(obj: Object) -> str:
    """Return why one object is not pruned just so: ``disabled``, ``confirm``, or empty where it is."""
    annotations = annotations_of(obj)
    own = annotations.get(PRUNE_ANNOTATION, "")
    options = annotations.get(ARGO_OPTIONS, "").replace(" ", "").split(",")
    if own == "disabled" or "Prune=false" in options:
        return "disabled"
    if own == "confirm" or "Prune=confirm" in options:
        return "confirm"
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    return "confirm" if (group, obj.get("kind")) in CONFIRMED_KINDS else ""


def pruning(
    candidates: Sequence[tuple[Key, Object]],
    *,
    wanted: int,
    total: int,
    automated: bool,
    limit: PruneLimit,
    confirmed: str = "",
) -> Pruning:
    """Decide about every object of ours that nobody wants any more.

    ``wanted`` objects are rendered now, ``total`` are ours; ``confirmed`` is the digest that a user has confirmed.
    """
    if not candidates:
        return Pruning()
    if not wanted:
        reason = "the source renders to nothing at all, and an empty render never prunes"
        return Pruning(held=tuple(Held(k, reason, confirmable=False) for k, _ in candidates))
    disabled, asked, free = [], [], []
    for key, obj in candidates:
        match prune_verdict(obj):
            case "disabled":
                disabled.append(
                    Held(key, "its annotations say never to prune it", confirmable=False)
                )
            case "confirm":
                asked.append((key, obj, _why_confirm(key, obj)))
            case _:
                free.append((key, obj))
    reason = "" if automated else "syncPolicy.automated.prune is not set"
    reason = reason or limit.exceeded(len(free) + len(asked), total)
    if reason:
        asked += [(key, obj, reason) for key, obj in free]
        free = []
    free = _without_used(free, disabled, asked, dict(candidates))
    digest = _digest([(key, obj) for key, obj, _ in asked]) if asked else ""
    if digest and digest == confirmed:
        return Pruning(tuple(k for k, _ in free) + tuple(k for k, _, _ in asked), tuple(disabled))
    held = (*disabled, *(Held(key, why) for key, _, why in asked))
    return Pruning(tuple(k for k, _ in free), held, digest)


def _without_used(
    free: list[tuple[Key, Object]],
    disabled: list[Held],
    asked: list[tuple[Key, Object, str]],
    objects: dict[Key, Object],
) -> list[tuple[Key, Object]]:
    """Hold what an object that stays still works with, however far down: its configuration, its claim, its Service.

    Such an object stays as long as its user: for ever, or until just that is confirmed. Returns what may go.
    """
    left = dict(free)
    # What stays for ever is taken from the end, first: no confirmation lets go what it uses.
    users = [*((key, True) for key, _, _ in asked), *((held.key, False) for held in disabled)]
    while users:
        user, confirmable = users.pop()
        for used in references(objects[user], user):
            obj = left.pop(used.key, None)
            if obj is None:
                continue
            reason = f"{user} stays for now and uses it: {used.reason}"
            if confirmable:
                asked.append((used.key, obj, reason))
            else:
                disabled.append(Held(used.key, reason, confirmable=False))
            users.append((used.key, confirmable))
    return list(left.items())


def _why_confirm(key: Key, obj: Object) -> str:
    if (key.group, key.kind) in CONFIRMED_KINDS:
        return f"a {key.kind} is pruned only when confirmed"
    return f"its annotations ({PRUNE_ANNOTATION}) ask for a confirmation" if obj else ""


def _digest(held: Sequence[tuple[Key, Object]]) -> str:
    """Return what stands for these very objects: made again under the same name they are others."""
    text = "\n".join(sorted(f"{key} {uid_of(obj)}" for key, obj in held))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
