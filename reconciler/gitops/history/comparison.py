"""Two recorded sets, field by field. Pure; values of Secrets are masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import Key
from reconciler.gitops.diff import FieldChange, diff

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object


class Difference(NamedTuple):
    """One object that two sets do not hold alike. ``action``: create, update or prune, from the first to the second."""

    action: str
    key: Key
    fields: tuple[FieldChange, ...]


def differences(
    before: Iterable[Object], after: Iterable[Object], *, mask: bytes
) -> list[Difference]:
    """Return what differs from one set to another, in the order of keys."""
    old, new = ({Key.of(o): o for o in objects} for objects in (before, after))
    found = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if a == b:
            continue
        action = "create" if a is None else "prune" if b is None else "update"
        found.append(Difference(action, key, diff(a, b, mask=mask)))
    return found
