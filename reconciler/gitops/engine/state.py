"""What the parts of one Application's loop know of it together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.gitops.engine.policy.pruning import Pruning
from reconciler.gitops.engine.reading import Reading
from reconciler.gitops.engine.report import UNKNOWN
from reconciler.gitops.engine.standing import Standing

if TYPE_CHECKING:
    from reconciler.api.objects import Key, Object
    from reconciler.gitops.engine.standing import Pin


@dataclass
class State:
    """What is known now. All of it can be found out anew, but for ``standing``, which the status keeps over a restart.

    ``source`` is what the source wants, ``reading`` what is wanted in the end: another while a rollback is in force.
    ``conditions`` (type → message) and ``pruning`` are of one look alone. ``refused``: objects that are left to others.
    ``replaced``: the pin that a request of this look has ended, if it is taken up. ``changed_manifests``: those of the objects whose manifest is not the one that was synced last.
    """

    app: Object = field(default_factory=dict)
    uid: str = ""
    standing: Standing = field(default_factory=Standing)
    source: Reading = Reading()  # noqa: RUF009 - immutable
    reading: Reading = Reading()  # noqa: RUF009 - immutable
    conditions: dict[str, str] = field(default_factory=dict)
    pruning: Pruning = Pruning()  # noqa: RUF009 - immutable
    refused: frozenset[Key] = frozenset()
    replaced: Pin | None = None
    sync_status: str = UNKNOWN
    spec_changed: bool = False
    changed_manifests: set[Key] = field(default_factory=set)

    def begin(self) -> None:
        """Begin another look."""
        self.conditions = {}
        self.replaced = None
        self.pruning = Pruning()
