"""Which kinds are known here, and what to say of the others. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import GroupVersionKind
from reconciler.gitops.validate.deprecations import removal_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document

#: Groups that a cluster serves itself: nobody adds a kind to them.
_BUILT_IN = frozenset(k.group for k in kinds.KINDS if k.group != "reconciler.dev") | {"extensions"}


def check_kind(document: Document, *, known: bool) -> Iterator[Finding]:
    """Yield an error for a kind of Kubernetes under a wrong apiVersion, or misspelt: no cluster would take it.

    ``known``: there is a schema for it.
    """
    gvk = GroupVersionKind.of(document.object)
    if known or removal_of(gvk) is not None:
        return
    kind = kinds.lookup(gvk.group, gvk.kind)
    if kind is not None:
        if kind.run and kind.version != gvk.version:
            told = (
                f'there is no {gvk.kind} in "{gvk.api_version}", did you mean "{kind.api_version}"?'
            )
            yield document.finding("schema/unknown-version", "error", told, ("apiVersion",))
        return
    if gvk.group not in _BUILT_IN:
        return
    elsewhere = [k for k in kinds.KINDS if k.kind == gvk.kind]
    if elsewhere:
        told = f'there is no {gvk.kind} in "{gvk.api_version}", did you mean "{elsewhere[0].api_version}"?'
        yield document.finding("schema/unknown-version", "error", told, ("apiVersion",))
        return
    near = difflib.get_close_matches(
        gvk.kind, [k.kind for k in kinds.KINDS if k.group == gvk.group], 1, 0.75
    )
    if near:
        told = f'unknown kind "{gvk.kind}" in {gvk.api_version}, did you mean "{near[0]}"?'
        yield document.finding("schema/unknown-kind", "error", told, ("kind",))


def notice(gvk: GroupVersionKind, *, known: bool) -> tuple[str, str] | None:
    """Return the rule and words for a kind that is stored and shown only; None for one that is run."""
    kind = kinds.lookup(gvk.group, gvk.kind)
    run = kind is not None and kind.run
    if run and known:
        return None
    what = f"{gvk.kind} ({gvk.api_version})"
    if not known:
        told = f"{what} has no schema here and is not checked"
        also = "" if run else ": it is stored and shown, nothing runs it"
        return "schema/unknown-kind", told + also
    return "runtime/kind-not-run", f"{what} is stored and shown; nothing here runs it"
