"""Whose Pods are whose: adopting what matches a selector and is nobody's, releasing what no longer matches (R06, R07)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds, selectors
from reconciler.api.decision import Action, Patch
from reconciler.api.objects import (
    controller_of,
    controller_ref,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import is_active

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object


def claim(
    owner: Object,
    snapshot: Snapshot,
    *,
    finalizer: str = "",
    fits: Callable[[Object], bool] = lambda _: True,
) -> tuple[list[Action], list[Object]]:
    """Return the adoptions and releases to perform, and the Pods that are the owner's (adopted ones included).

    An adopted Pod gets ``finalizer``, where one is given, and a released one loses it; only Pods that ``fits`` says
    may be the owner's are adopted. Cost follows the Pods that
    the owner has and those that carry the selector's labels.
    """
    selector = owner["spec"].get("selector") or {}
    matches = selectors.matcher(selector)
    uid, namespace = uid_of(owner), namespace_of(owner)
    actions: list[Action] = []
    pods: list[Object] = []
    owned: set[str] = set()
    for pod in snapshot.owned(kinds.POD, uid):
        ref = controller_of(pod)
        if ref is None or ref.get("uid") != uid or namespace_of(pod) != namespace:
            continue
        owned.add(name_of(pod))
        if matches(labels_of(pod)):
            pods.append(pod)
        elif not is_deleting(pod) and not is_deleting(owner):
            refs = [r for r in pod["metadata"]["ownerReferences"] if r.get("uid") != uid]
            held = [f for f in pod["metadata"].get("finalizers") or () if f != finalizer]
            actions.append(_set_owners(pod, refs, held if finalizer else None))
    if is_deleting(owner):
        return actions, pods
    for pod in snapshot.matching(kinds.POD, namespace, selector.get("matchLabels") or {}):
        if name_of(pod) in owned or controller_of(pod) is not None or not is_active(pod):
            continue
        if matches(labels_of(pod)) and fits(pod):
            refs = [*(pod["metadata"].get("ownerReferences") or ()), controller_ref(owner)]
            held = [*(pod["metadata"].get("finalizers") or ())]
            if finalizer and finalizer not in held:
                held.append(finalizer)
            actions.append(_set_owners(pod, refs, held if finalizer else None))
            pods.append(pod)
    return actions, pods


def _set_owners(pod: Object, refs: list[dict[str, Any]], finalizers: list[str] | None) -> Patch:
    metadata: dict[str, Any] = {"ownerReferences": refs or None}
    if finalizers is not None:
        metadata["finalizers"] = finalizers or None
    patch = {"metadata": metadata}
    return Patch(kinds.POD, namespace_of(pod), name_of(pod), patch, uid=uid_of(pod))
