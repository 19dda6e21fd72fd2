"""Which records are kept: the newest, for a while; and always those that one may have to go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.gitops.history.record import Record


def kept(
    records: Sequence[Record], *, count: int, seconds: float, now: float, always: Iterable[int] = ()
) -> set[int]:
    """Return the ids to keep of records in order: at most ``count`` no older than ``seconds``, the newest one, ``always``.

    The last healthy record is kept whatever came after it: corrections of drift must not push it out.
    """
    found = {r.id for r in records[-count:] if now - r.finished <= seconds}
    found.update(always)
    healthy = [r.id for r in records if r.health == "Healthy" and r.set]
    found.update(healthy[-1:])
    found.update(r.id for r in records[-1:])
    return found & {r.id for r in records}
