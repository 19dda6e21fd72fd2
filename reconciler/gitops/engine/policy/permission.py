"""May an Application be synced now? One answer, with the condition that says why not, and when to ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.clock import rfc3339
from reconciler.gitops.engine.policy.retrying import Failure, next_try
from reconciler.gitops.engine.policy.settings import SelfHeal
from reconciler.gitops.engine.policy.windows import opening

if TYPE_CHECKING:
    from reconciler.gitops.engine.policy.settings import Policy

DEPENDENCY = "DependencyNotReady"
WINDOW = "SyncWindowClosed"
DRIFTED = "Drifted"
GIVEN_UP = "SyncFailed"


class Facts(NamedTuple):
    """What there is to decide about.

    ``new_revision``: another one than was synced last; ``drift``: what differs, named, where the revision is the same;
    ``prunes``: something may be deleted; ``requested``: a user asks, and with ``override`` whatever the windows say.
    ``failure``: tries of this revision that failed, in a sync that is over at ``deadline``, with ``failed`` as the reason.
    """

    now: float
    new_revision: bool = False
    drift: tuple[str, ...] = ()
    prunes: bool = False
    requested: bool = False
    override: bool = False
    circle: tuple[str, ...] = ()
    unready: tuple[str, ...] = ()
    failure: Failure | None = None
    deadline: float = 0.0
    failed: str = ""


class Permission(NamedTuple):
    """``condition`` (a type) and ``message`` say why not, where that is worth saying; ``ask_at``: epoch seconds."""

    allowed: bool
    condition: str = ""
    message: str = ""
    ask_at: float | None = None


def permission(policy: Policy, facts: Facts) -> Permission:
    """Decide. The first rule that speaks counts: dependencies, windows, a user's wish, failures, what is automated."""
    if not (facts.requested or policy.automated):
        return Permission(allowed=False)
    if facts.circle:
        told = f"dependsOn goes round in a circle: {' → '.join(facts.circle)}"
        return Permission(allowed=False, condition="DependencyCycle", message=told)
    if facts.unready and (facts.requested or facts.new_revision):
        told = f"waiting for {'; and for '.join(facts.unready)}"
        return Permission(allowed=False, condition=DEPENDENCY, message=told)
    if not facts.override:
        window = opening(policy.windows, facts.now, manual=facts.requested)
        if not window.open:
            told = f"{window.why}; `reconciler sync --override-windows` syncs nevertheless"
            return Permission(allowed=False, condition=WINDOW, message=told, ask_at=window.until)
    if facts.requested:
        return Permission(allowed=True)
    if facts.failure is not None:
        again = next_try(policy.retry, facts.failure, facts.deadline)
        # A failure that is still to come: the clock was set back, and how long to wait is not known any more.
        is_set_back = facts.failure.at > facts.now
        if again is None or (facts.now < again and not is_set_back):
            return Permission(
                allowed=False, condition=GIVEN_UP, message=_failed(facts, again), ask_at=again
            )
    if facts.new_revision or facts.prunes or policy.self_heal is SelfHeal.ENFORCE:
        return Permission(allowed=True)
    if facts.drift and policy.self_heal is SelfHeal.WARN:
        told = f"left as it is (selfHeal: warn): {'; '.join(facts.drift[:5])}"
        if len(facts.drift) > 5:
            told += f"; and {len(facts.drift) - 5} more"
        return Permission(allowed=False, condition=DRIFTED, message=told)
    return Permission(allowed=False)


def _failed(facts: Facts, again: float | None) -> str:
    assert facts.failure is not None  # noqa: S101 - the caller looked
    tries = "one try" if facts.failure.tries == 1 else f"{facts.failure.tries} tries"
    if again is not None:
        return f"{facts.failed} (after {tries}; tried again at {rfc3339(again)})"
    return f"{facts.failed} (given up after {tries}: a new revision or `reconciler sync` tries it again)"
