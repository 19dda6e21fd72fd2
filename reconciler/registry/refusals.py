"""How requests are refused, in the words of a kube-apiserver. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import BadRequest, Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from reconciler.api.client import DeleteOptions
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object
    from reconciler.errors import Cause


def not_found(kind: Kind, name: str) -> NotFound:
    return NotFound(
        f'{kind.resource} "{name}" not found', kind=kind.plural, group=kind.group, name=name
    )


def modified(kind: Kind, name: str) -> Conflict:
    return Conflict(
        f'Operation cannot be fulfilled on {kind.resource} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        kind=kind.plural, group=kind.group, name=name,
    )  # fmt: skip


def check_preconditions(kind: Kind, before: Object, options: DeleteOptions) -> None:
    meta = before["metadata"]
    for field, word, wanted in (
        ("uid", "UID", options.uid),
        ("resourceVersion", "ResourceVersion", options.resource_version),
    ):
        if wanted and meta.get(field) != wanted:
            raise Conflict(
                f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {meta.get(field)}",
                kind=kind.plural, group=kind.group, name=meta["name"],
            )  # fmt: skip


def refuse(kind: Kind, name: str, causes: tuple[Cause, ...]) -> None:
    """Raise ``Invalid`` when anything is wrong, worded as a kube-apiserver words it."""
    if not causes:
        return
    told = [f"{c.field}: {c.message}" for c in causes]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    full = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    raise Invalid(
        f'{full} "{name}" is invalid: {text}',
        kind=kind.kind, group=kind.group, name=name, causes=causes,
    )  # fmt: skip


def check_identity(kind: Kind, before: Object, after: Object) -> None:
    """Refuse a change of what an object is: its uid (a precondition), type, name or namespace (M02)."""
    old, new = before["metadata"], after["metadata"]
    uid = new.get("uid")
    if uid and uid != old["uid"]:
        raise Conflict(
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['uid']}",
            kind=kind.plural, group=kind.group, name=old["name"],
        )  # fmt: skip
    for field, was, now in (
        ("apiVersion", before.get("apiVersion"), after.get("apiVersion")),
        ("kind", before.get("kind"), after.get("kind")),
        ("metadata.name", old.get("name"), new.get("name")),
        ("metadata.namespace", old.get("namespace"), new.get("namespace")),
    ):
        if was != now:
            raise BadRequest(
                f"{field} of {kind.resource} {old['name']!r} cannot be changed from {was!r} to {now!r}"
            )


def refuse_binding(pod: Object) -> None:
    """Refuse to assign a Pod that has a node already, or that is being deleted (as pods/binding does)."""
    name, node = pod["metadata"]["name"], (pod.get("spec") or {}).get("nodeName")
    why = "is being deleted" if pod["metadata"].get("deletionTimestamp") else ""
    if node:
        why = f"is already assigned to node {node!r}"
    if why:
        raise Conflict(
            f'Operation cannot be fulfilled on pods/binding "{name}": pod {name} {why}',
            kind="pods/binding", name=name,
        )  # fmt: skip
