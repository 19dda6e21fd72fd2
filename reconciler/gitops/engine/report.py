"""An Application's status: sync, health, conditions, history, and the inventory of its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import conditions, kinds
from reconciler.api.objects import Key, Object
from reconciler.clock import rfc3339
from reconciler.errors import Conflict, NotFound
from reconciler.gitops import health as healths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.client import Client
    from reconciler.clock import Clock
    from reconciler.gitops.engine.desired import Wanted

#: Syncs that the history keeps.
KEPT_SYNCS = 10

_ERRORS = ("SourceError", "RenderError", "InvalidManifests", "SyncFailed")


class _Row(NamedTuple):
    """One object's line, and what it was made from."""

    live: Object | None
    wanted: Wanted | None
    health: healths.Health
    shown: dict[str, Any]


class Report:
    """What is told of one Application. Written only when it differs from what stands there."""

    def __init__(self, clock: Clock, client: Client, name: str) -> None:
        self._clock = clock
        self._client = client
        self._name = name
        self._error = ("", "")
        self._history: list[dict[str, Any]] = []
        self._rows: dict[Key, _Row] = {}
        self.revision = ""

    def set_error(self, kind: str, message: str) -> None:
        """Remember what is wrong now; an empty kind: nothing is."""
        self._error = (kind, message)

    def finish(self, revision: str, started: float, result: str, *, failed: bool) -> None:
        """A sync has ended; one that failed has not brought us to its revision."""
        if not failed:
            self.revision = revision
        entry = {
            "revision": revision,
            "startedAt": rfc3339(started),
            "finishedAt": rfc3339(self._clock.now()),
            "result": result,
        }
        self._history = [*self._history, entry][-KEPT_SYNCS:]

    def synced_revision(self, app: Object) -> str:
        """Return the revision of the last sync that went well, also one before a restart; empty where there is none."""
        history = self._history or (app.get("status") or {}).get("history") or ()
        done = (str(h["revision"]) for h in reversed(history) if h.get("result") != "failed")
        return self.revision or next(done, "")

    @staticmethod
    def inventory(app: Object) -> list[Key]:
        """Return the keys of everything that the Application has made."""
        return [
            Key(r.get("group", ""), r["kind"], r.get("namespace", ""), r["name"])
            for r in (app.get("status") or {}).get("resources") or ()
        ]

    async def suspended(self, app: Object) -> None:
        """Say that nothing is done; the rest of the status stays."""
        status = dict(app.get("status") or {})
        status["health"] = {"status": healths.SUSPENDED, "message": "suspended by its spec"}
        status["observedGeneration"] = app["metadata"].get("generation", 1)
        await self._write(app, status)

    async def write(
        self,
        app: Object,
        states: Iterable[tuple[Key, Wanted | None, Object | None]],
        revision: str,
        *,
        synced: bool,
    ) -> None:
        """Write the status, if it differs."""
        old = app.get("status") or {}
        if not self._history and old.get("history"):
            self._history = list(old["history"])
        if not self.revision and synced:
            self.revision = revision
        resources, found = [], []
        rows: dict[Key, _Row] = {}
        for key, wanted, live in states:
            row = self._rows.get(key)
            if row is None or row.live is not live or row.wanted is not wanted:
                health = healths.health(live)
                row = _Row(live, wanted, health, _row(key, wanted, live, health))
            rows[key] = row
            if wanted is not None:
                found.append(row.health)
            resources.append(row.shown)
        self._rows = rows
        worst = healths.worst(found)
        kind, message = self._error
        reading = kind in ("SourceError", "RenderError")
        sync = "Synced" if synced and not kind else ("Unknown" if reading else "OutOfSync")
        status: dict[str, Any] = {
            "observedGeneration": app["metadata"].get("generation", 1),
            "sync": {"status": sync, "revision": self.revision or revision},
            "health": {"status": worst.status, **({"message": _which(worst, resources)} if worst.message else {})},
            "conditions": self._conditions(old.get("conditions"), kind, message),
            "resources": resources,
        }  # fmt: skip
        if self._history:
            status["history"] = self._history
        await self._write(app, status)

    def _conditions(self, old: Any, kind: str, message: str) -> list[dict[str, Any]]:
        kept = [c for c in old or () if c["type"] not in _ERRORS or c["type"] == kind]
        if not kind:
            return kept
        return conditions.updated(
            kept, kind, true=True, reason=kind, message=message, now=self._clock.now()
        )

    async def _write(self, app: Object, status: dict[str, Any]) -> None:
        if app.get("status") == status:
            return
        try:
            current = await self._client.get(kinds.APPLICATION, self._name)
            if current["metadata"]["uid"] != app["metadata"]["uid"] or (
                current.get("status") == status
            ):
                return
            await self._client.update(
                {**current, "status": status}, subresource="status", field_manager="reconciler"
            )
        except (NotFound, Conflict):
            return


def _row(
    key: Key, wanted: Wanted | None, live: Object | None, health: healths.Health
) -> dict[str, Any]:
    version = (
        wanted.kind.version
        if wanted
        else str((live or {}).get("apiVersion", "")).rpartition("/")[2]
    )
    row: dict[str, Any] = {
        "group": key.group,
        "version": version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "status": "Synced" if wanted is not None and live is not None else "OutOfSync",
        "health": {"status": health.status},
    }
    if health.message:
        row["health"]["message"] = health.message
    return {k: v for k, v in row.items() if v != "" or k == "group"}


def _which(worst: healths.Health, resources: list[dict[str, Any]]) -> str:
    """Name the object that makes the whole as it is."""
    for row in resources:
        if row["health"]["status"] == worst.status:
            return f"{row['kind']} {row['name']}: {worst.message}"
    return worst.message
