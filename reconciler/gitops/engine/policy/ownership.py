"""Whose an object is. Two Applications never fight over one, and what nobody here made is taken over only when told to.

The mark of ownership is the annotation ``reconciler.dev/application`` together with the inventory. An object that its
owner no longer wants is handed on to the Application that does: moved, not deleted and made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import annotations_of, meta
from reconciler.gitops.engine.desired import APPLICATION_ANNOTATION, manager_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.api.objects import Key, Object

ADOPT_ANNOTATION = "reconciler.dev/adopt"

SHARED_RESOURCE = "SharedResource"
ADOPTION_REFUSED = "AdoptionRefused"


class Refusal(NamedTuple):
    """Why an Application leaves an object alone; ``condition`` is the type of the condition that says so."""

    key: Key
    condition: str
    message: str


class Claim(NamedTuple):
    """Who else is concerned: Applications that want the object, the first to want it first.

    ``owner_exists``: the Application that the object's mark names is there; ``owner_read``: it has read its source
    since the daemon began, so what it does not claim it does not want.
    """

    claimants: Sequence[str]
    owner_exists: bool = False
    owner_read: bool = False


def owner_of(live: Object | None) -> str:
    """Return the Application that an object's mark names; empty where there is none."""
    return annotations_of(live).get(APPLICATION_ANNOTATION, "") if live is not None else ""


def refusal(
    app: str, key: Key, wanted: Object, live: Object | None, claim: Claim, *, adopt: bool
) -> Refusal | None:
    """Return why an Application may not apply an object; None: it may. ``adopt``: it may take what nobody made."""
    owner = owner_of(live)
    if owner == app:
        return None
    if owner and claim.owner_exists and (owner in claim.claimants or not claim.owner_read):
        return _shared(app, key, owner)
    others = [c for c in claim.claimants if c != owner]
    if others and others[0] != app:
        return _shared(app, key, others[0])
    if live is None or (owner and claim.owner_exists):
        return None
    # Namespaces are common ground, and deleting one needs a confirmation anyway.
    if adopt or key.kind == "Namespace" or _was_ours(app, live) or _says_adopt(wanted, live):
        return None
    was = f" of the former Application {owner}" if owner else ", and no Application made it"
    return Refusal(
        key, ADOPTION_REFUSED,
        f'{key} exists already{was}: to take it over put the annotation {ADOPT_ANNOTATION}: "true" on its '
        f"manifest, or run `reconciler sync {app} --adopt`",
    )  # fmt: skip


def _says_adopt(wanted: Object, live: Object) -> bool:
    return any(annotations_of(o).get(ADOPT_ANNOTATION) == "true" for o in (wanted, live))


def _was_ours(app: str, live: Object) -> bool:
    """Whether fields of an object are still ours: somebody took only the mark away."""
    fields = meta(live).get("managedFields") or ()
    return any(f.get("manager") == manager_of(app) for f in fields)


def _shared(app: str, key: Key, owner: str) -> Refusal:
    return Refusal(
        key, SHARED_RESOURCE,
        f"{key} belongs to Application {owner}, and Application {app} declares it too: {owner} keeps it until one of "
        "them drops it",
    )  # fmt: skip
