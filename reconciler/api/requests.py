"""What users ask an Application for, in annotations: a sync now, a rollback. Pure.

A request is answered once: what was answered last, and how, stands in the Application's status, also over a restart.

    reconciler.dev/refresh-requested-at: TIME   read the source now, as it is when that is answered
    reconciler.dev/sync-requested-at: TIME      sync; with sync-options: OverrideWindows,Adopt
    reconciler.dev/sync-revision: REVISION      that revision, once: a branch, a tag or a commit of the source
    reconciler.dev/approved-plan: DIGEST        sync only if that is what the plan still is
    reconciler.dev/rollback-requested-at: TIME  roll back; with rollback-to: ID or REVISION, else to the one before
    reconciler.dev/requested-by: NAME           who asks
    reconciler.dev/confirm-prune: DIGEST        prune just what the status holds under this digest
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import annotations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object

REFRESH_REQUESTED = "reconciler.dev/refresh-requested-at"
SYNC_REQUESTED = "reconciler.dev/sync-requested-at"
SYNC_OPTIONS = "reconciler.dev/sync-options"
SYNC_REVISION = "reconciler.dev/sync-revision"
APPROVED_PLAN = "reconciler.dev/approved-plan"
ROLLBACK_REQUESTED = "reconciler.dev/rollback-requested-at"
ROLLBACK_TO = "reconciler.dev/rollback-to"
REQUESTED_BY = "reconciler.dev/requested-by"
CONFIRM_PRUNE = "reconciler.dev/confirm-prune"

OVERRIDE_WINDOWS = "OverrideWindows"
ADOPT = "Adopt"

_ASKING = (
    REFRESH_REQUESTED, SYNC_REQUESTED, SYNC_OPTIONS, SYNC_REVISION, APPROVED_PLAN, ROLLBACK_REQUESTED, ROLLBACK_TO, REQUESTED_BY, CONFIRM_PRUNE,
)  # fmt: skip


class SyncRequest(NamedTuple):
    """A sync that somebody asks for; ``approved``: just this plan (``plan.approval``) and no other.

    ``revision``: to that one in place of what the source follows.
    """

    at: str
    by: str = ""
    override: bool = False
    adopt: bool = False
    approved: str = ""
    revision: str = ""


class PlanRequest(NamedTuple):
    """Which sync a plan is asked of.

    ``fresh``: of what the source holds now; else of what was read last. ``asked``: as somebody asks for a sync, so that
    hooks run though nothing changes. ``revision`` and ``adopt`` as in ``SyncRequest``; ``confirm`` as ``confirmed_prune``.
    """

    fresh: bool = False
    asked: bool = False
    revision: str = ""
    confirm: str = ""
    adopt: bool = False

    def to_query(self) -> dict[str, str]:
        """Return it as the parameters of a URL."""
        return {
            name: "true" if value is True else str(value)
            for name, value in self._asdict().items()
            if value
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> PlanRequest:
        """Read it back; what is not known is passed over."""
        return cls(
            query.get("fresh") == "true", query.get("asked") == "true", query.get("revision", ""),
            query.get("confirm", ""), query.get("adopt") == "true",
        )  # fmt: skip


class RollbackRequest(NamedTuple):
    """A rollback that somebody asks for; an empty ``to`` is the good revision before."""

    at: str
    by: str = ""
    to: str = ""


def refresh_request(app: Object, answered: str) -> str:
    """Return when a reading of the source was asked for that was not answered yet; empty for none."""
    at = annotations_of(app).get(REFRESH_REQUESTED, "")
    return at if at != answered else ""


def sync_request(app: Object, answered: str) -> SyncRequest | None:
    """Return the request that was not answered yet."""
    given = annotations_of(app)
    at = given.get(SYNC_REQUESTED, "")
    if not at or at == answered:
        return None
    options = {o.strip() for o in given.get(SYNC_OPTIONS, "").split(",")}
    return SyncRequest(
        at,
        given.get(REQUESTED_BY, ""),
        OVERRIDE_WINDOWS in options,
        ADOPT in options,
        given.get(APPROVED_PLAN, ""),
        given.get(SYNC_REVISION, ""),
    )


def rollback_request(app: Object, answered: str) -> RollbackRequest | None:
    """Return the request that was not answered yet."""
    given = annotations_of(app)
    at = given.get(ROLLBACK_REQUESTED, "")
    if not at or at == answered:
        return None
    return RollbackRequest(at, given.get(REQUESTED_BY, ""), given.get(ROLLBACK_TO, ""))


def confirmed_prune(app: Object) -> str:
    """Return the digest of the prunes that somebody has confirmed; empty for none."""
    return annotations_of(app).get(CONFIRM_PRUNE, "")


def asks(app: Object) -> tuple[object, ...]:
    """Return everything of an Application that is not ours: when it changes, somebody asks for something."""
    meta, given = app["metadata"], annotations_of(app)
    return (
        meta.get("generation"), meta.get("deletionTimestamp"), app.get("spec"),
        *(given.get(a) for a in _ASKING),
    )  # fmt: skip
