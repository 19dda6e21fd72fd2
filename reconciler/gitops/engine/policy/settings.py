"""The policy that an Application's spec asks for, with its defaults. Durations in seconds, times since the epoch."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import durations
from reconciler.clock import parse_rfc3339
from reconciler.gitops.engine.policy.pruning import PruneLimit
from reconciler.gitops.engine.policy.retrying import Retry
from reconciler.gitops.engine.policy.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object

#: A sync ends after this where the Application does not say, in seconds.
TIMEOUT_SECONDS = 300.0
#: Syncs that the history keeps where neither Application nor daemon say.
KEPT_SYNCS = 10


class PolicyError(ValueError):
    """A field of the policy cannot be used; the message names it and says what was expected."""


class SelfHeal(StrEnum):
    """What is done about drift: put it back, tell of it and leave it, or only show OutOfSync."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


class Retention(NamedTuple):
    """How many syncs the history keeps, and for how long in seconds."""

    syncs: int = KEPT_SYNCS
    seconds: float = math.inf


class Policy(NamedTuple):
    """What the spec asks for. ``resume_at``: a suspension ends by itself then."""

    automated: bool = False
    prune: bool = False
    self_heal: SelfHeal = SelfHeal.OFF
    prune_limit: PruneLimit = PruneLimit()
    retry: Retry = Retry()
    timeout: float = TIMEOUT_SECONDS
    rollback_on_failure: bool = False
    windows: tuple[Window, ...] = ()
    adopt: bool = False
    depends_on: tuple[str, ...] = ()
    retention: Retention = Retention()
    suspend: bool = False
    resume_at: float | None = None

    def suspended(self, now: float) -> bool:
        """Whether nothing may be done now."""
        return self.suspend and (self.resume_at is None or now < self.resume_at)


def policy_of(app: Object, retention: Retention = Retention()) -> Policy:  # noqa: B008 - immutable
    """Read an Application's policy; ``retention`` is the daemon's. Raises ``PolicyError``."""
    spec = app.get("spec") or {}
    sync = spec.get("syncPolicy") or {}
    automated = sync.get("automated")
    kept = spec.get("history") or {}
    return Policy(
        automated=automated is not None,
        prune=bool((automated or {}).get("prune")),
        self_heal=_self_heal((automated or {}).get("selfHeal")),
        prune_limit=_prune_limit(sync.get("pruneLimit")),
        retry=_retry(sync.get("retry") or {}),
        timeout=_seconds(sync, "timeout", "spec.syncPolicy.timeout", TIMEOUT_SECONDS),
        rollback_on_failure=bool(sync.get("rollbackOnFailure")),
        windows=tuple(
            _window(w, f"spec.syncPolicy.windows[{i}]")
            for i, w in enumerate(sync.get("windows") or ())
        ),
        adopt=bool(sync.get("adopt")),
        depends_on=tuple(d["name"] for d in spec.get("dependsOn") or ()),
        retention=Retention(
            retention.syncs if kept.get("limit") is None else int(kept["limit"]),
            _seconds(kept, "maxAge", "spec.history.maxAge", retention.seconds),
        ),
        suspend=bool(spec.get("suspend")),
        resume_at=_time(spec.get("suspendUntil"), "spec.suspendUntil"),
    )


def _self_heal(value: Any) -> SelfHeal:
    if value == "warn":
        return SelfHeal.WARN
    return SelfHeal.ENFORCE if value else SelfHeal.OFF


def _prune_limit(given: Mapping[str, Any] | None) -> PruneLimit:
    if given is None:
        return PruneLimit()
    return PruneLimit(given.get("count"), given.get("percent"), grace=0)


def _retry(given: Mapping[str, Any]) -> Retry:
    default, backoff = Retry(), given.get("backoff") or {}
    where = "spec.syncPolicy.retry.backoff"
    limit, factor = given.get("limit"), backoff.get("factor")
    return Retry(
        default.limit if limit is None else int(limit),
        _seconds(backoff, "duration", f"{where}.duration", default.first),
        default.factor if factor is None else float(factor),
        _seconds(backoff, "maxDuration", f"{where}.maxDuration", default.longest),
    )


def _window(given: Mapping[str, Any], field: str) -> Window:
    window = Window(
        given.get("kind") == "allow",
        str(given.get("schedule", "")),
        _seconds(given, "duration", f"{field}.duration", 0.0),
        str(given.get("timeZone") or "UTC"),
        bool(given.get("manualSync")),
    )
    problem = window.problem()
    if problem:
        raise PolicyError(f"{field}.{problem}")
    return window


def _seconds(given: Mapping[str, Any], name: str, field: str, default: float) -> float:
    value = given.get(name)
    if value is None:
        return default
    try:
        return durations.seconds(value)
    except ValueError as error:
        raise PolicyError(f"{field}: {error}") from error


def _time(value: Any, field: str) -> float | None:
    if value is None:
        return None
    try:
        return parse_rfc3339(str(value))
    except ValueError as error:
        raise PolicyError(
            f"{field}: {value!r} is not a time: expected one as 2026-01-31T18:00:00Z"
        ) from error
