"""An Application's status: sync, health, conditions, history, and the inventory of its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import conditions as conditions_of
from reconciler.api import kinds
from reconciler.api.objects import Key, Object
from reconciler.errors import Conflict, NotFound
from reconciler.gitops import health as healths

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.api.client import Client
    from reconciler.clock import Clock
    from reconciler.gitops.engine.desired import Wanted
    from reconciler.gitops.engine.policy.pruning import Pruning
    from reconciler.gitops.engine.standing import Standing

SYNCED = "Synced"
OUT_OF_SYNC = "OutOfSync"
UNKNOWN = "Unknown"

#: A status is written on top of another change of the Application at most so often in a row.
_TRIES = 5


class _Row(NamedTuple):
    """One object's line, and what it was made from."""

    live: Object | None
    wanted: Wanted | None
    differs: bool
    health: healths.Health
    shown: dict[str, Any]


class Assessment(NamedTuple):
    """How all objects are: their lines, the worst health, and each object with its own."""

    resources: list[dict[str, Any]]
    worst: healths.Health
    message: str
    healths: list[tuple[Key, Object | None, healths.Health]]


class Report:
    """What is told of one Application. Written only when it differs from what stands there."""

    def __init__(self, clock: Clock, client: Client, name: str) -> None:
        self._clock = clock
        self._client = client
        self._name = name
        self._rows: dict[Key, _Row] = {}
        self.inventory: dict[Key, None] = {}

    def load(self, app: Object) -> None:
        """Take the inventory over from a status: what was made before a restart."""
        self.inventory = dict.fromkeys(inventory_of(app))

    def assess(
        self,
        states: Iterable[tuple[Key, Wanted | None, Object | None]],
        differing: Collection[Key] = (),
    ) -> Assessment:
        """Judge every object of the inventory; those whose manifest and state are the same cost a look."""
        resources, found = [], []
        rows: dict[Key, _Row] = {}
        for key, wanted, live in states:
            row, differs = self._rows.get(key), key in differing
            if (
                row is None
                or row.live is not live
                or row.wanted is not wanted
                or row.differs is not differs
            ):
                health = healths.health(live)
                shown = _shown(key, wanted, live, health, differs=differs)
                row = _Row(live, wanted, differs, health, shown)
            rows[key] = row
            if wanted is not None:
                found.append((key, live, row.health))
            resources.append(row.shown)
        self._rows = rows
        worst = healths.worst([f[2] for f in found])
        message = ""
        if worst.message:
            key = next(k for k, _, h in found if h == worst)
            message = f"{key.kind} {key.name}: {worst.message}"
        return Assessment(resources, worst, message, found)

    async def suspended(self, app: Object, standing: Standing, until: str) -> None:
        """Say that nothing is done; the rest of the status stays."""
        status = {**(app.get("status") or {}), **standing.to_json()}
        told = f"suspended by its spec until {until}" if until else "suspended by its spec"
        status["health"] = {"status": healths.SUSPENDED, "message": told}
        status["observedGeneration"] = app["metadata"].get("generation", 1)
        await self._write(app, status)

    async def write(
        self,
        app: Object,
        assessment: Assessment,
        standing: Standing,
        *,
        sync: str,
        revision: str,
        conditions: Mapping[str, str],
        pruning: Pruning,
    ) -> None:
        """Write the status, if it differs. ``conditions``: type → message of those that are true."""
        worst = assessment.worst
        health = {"status": worst.status}
        if assessment.message:
            health["message"] = assessment.message
        old = (app.get("status") or {}).get("conditions") or ()
        status: dict[str, Any] = {
            "observedGeneration": app["metadata"].get("generation", 1),
            "sync": {"status": sync, "revision": standing.deployed or revision},
            "health": health,
            "conditions": self._conditions(old, conditions),
            "resources": assessment.resources,
            **standing.to_json(),
        }
        if pruning.held:
            status["prune"] = _held(pruning)
        await self._write(app, status)
        self.inventory = dict.fromkeys(self._rows)

    def _conditions(self, old: Any, found: Mapping[str, str]) -> list[dict[str, Any]]:
        kept = [c for c in old if c["type"] in found]
        for kind, message in found.items():
            kept = conditions_of.updated(
                kept, kind, true=True, reason=kind, message=message, now=self._clock.now()
            )
        return kept

    async def _write(self, app: Object, status: dict[str, Any]) -> None:
        if app.get("status") == status:
            return
        for _ in range(_TRIES):
            try:
                current = await self._client.get(kinds.APPLICATION, self._name)
                if current["metadata"]["uid"] != app["metadata"]["uid"] or (
                    current.get("status") == status
                ):
                    return
                await self._client.update(
                    {**current, "status": status}, subresource="status", field_manager="reconciler"
                )
            except NotFound:
                return
            except Conflict:
                continue
            return


def inventory_of(app: Object) -> list[Key]:
    """Return the keys of everything that an Application has made, as its status says."""
    return [
        Key(r.get("group", ""), r["kind"], r.get("namespace", ""), r["name"])
        for r in (app.get("status") or {}).get("resources") or ()
    ]


def _held(pruning: Pruning) -> dict[str, Any]:
    """Return what is not pruned and why, with what a confirmation must name."""
    rows = [
        {
            "group": h.key.group, "kind": h.key.kind, "namespace": h.key.namespace,
            "name": h.key.name, "reason": h.reason, "confirmable": h.confirmable,
        }
        for h in pruning.held
    ]  # fmt: skip
    return {"digest": pruning.digest, "held": rows}


def _shown(
    key: Key, wanted: Wanted | None, live: Object | None, health: healths.Health, *, differs: bool
) -> dict[str, Any]:
    version = (
        wanted.kind.version
        if wanted
        else str((live or {}).get("apiVersion", "")).rpartition("/")[2]
    )
    synced = wanted is not None and live is not None and not differs
    row: dict[str, Any] = {
        "group": key.group,
        "version": version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "status": SYNCED if synced else OUT_OF_SYNC,
        "health": {"status": health.status},
    }
    if health.message:
        row["health"]["message"] = health.message
    return {k: v for k, v in row.items() if v != "" or k == "group"}
