"""When an Application's hooks run: with each sync of a new revision or on request, never to put drift back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.objects import Object, meta, name_of, uid_of
from reconciler.gitops.hooks import hook_of
from reconciler.gitops.plan import Change

if TYPE_CHECKING:
    from reconciler.gitops.engine.reading import Reading


class HookRuns:
    """Remembers which hooks an Application's last good sync ran."""

    def __init__(self) -> None:
        self._ran: frozenset[str] | None = None

    def are_due(self, reading: Reading, deployed: str) -> bool:
        """Whether a revision asks for a sync by its hooks alone: they differ from those that ran, or none ever did.

        ``deployed`` is the revision of the last good sync, also one before a restart; empty where there is none.
        """
        if not reading.hooks:
            return False
        if self._ran is None:
            return not deployed
        return _digests(reading) != self._ran

    def ran(self, reading: Reading) -> None:
        """A sync went well."""
        self._ran = _digests(reading)

    @staticmethod
    def changes(reading: Reading, app: Object) -> list[Change]:
        """Return the hooks to run. They belong to the Application, so that they go with it."""
        owner = {
            "apiVersion": app["apiVersion"],
            "kind": app["kind"],
            "name": name_of(app),
            "uid": uid_of(app),
        }
        result = []
        for key, wanted in reading.hooks.items():
            hook = hook_of(wanted.object)
            phases = "/".join(hook.phases) if hook is not None else ""
            obj = {**wanted.object, "metadata": {**meta(wanted.object), "ownerReferences": [owner]}}
            result.append(Change("hook", key, obj, cause=f"{phases} hook"))
        return result


def _digests(reading: Reading) -> frozenset[str]:
    return frozenset(w.digest for w in reading.hooks.values())
