"""May an Application be synced now? The decision as a table."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.clock import parse_rfc3339
from reconciler.gitops.engine.policy import Facts, Policy, SelfHeal, permission
from reconciler.gitops.engine.policy.retrying import Failure, Retry, next_try
from reconciler.gitops.engine.policy.windows import Window

NOON = parse_rfc3339("2026-03-02T12:00:00Z")  # a Monday
AUTOMATED = Policy(automated=True, prune=True, self_heal=SelfHeal.ENFORCE)
WARNS = AUTOMATED._replace(self_heal=SelfHeal.WARN)
SHOWS = AUTOMATED._replace(self_heal=SelfHeal.OFF)
FREEZE = AUTOMATED._replace(windows=(Window(False, "0 9 * * 1-5", 8 * 3600.0),))
FREEZE_BY_HAND = AUTOMATED._replace(
    windows=(Window(False, "0 9 * * 1-5", 8 * 3600.0, manual=True),)
)


@pytest.mark.parametrize(
    ("policy", "facts", "allowed", "condition"),
    [
        (AUTOMATED, {"new_revision": True}, True, ""),
        (AUTOMATED, {"drift": ("a",)}, True, ""),
        (Policy(), {"new_revision": True}, False, ""),
        (Policy(), {"requested": True}, True, ""),
        (SHOWS, {"new_revision": True}, True, ""),
        (SHOWS, {"drift": ("a",)}, False, ""),
        (SHOWS, {"drift": ("a",), "requested": True}, True, ""),
        (SHOWS, {"prunes": True}, True, ""),
        (WARNS, {"drift": ("a",)}, False, "Drifted"),
        (WARNS, {"new_revision": True}, True, ""),
        (FREEZE, {"new_revision": True}, False, "SyncWindowClosed"),
        (FREEZE, {"drift": ("a",)}, False, "SyncWindowClosed"),
        (FREEZE, {"requested": True}, False, "SyncWindowClosed"),
        (FREEZE, {"requested": True, "override": True}, True, ""),
        (FREEZE_BY_HAND, {"requested": True}, True, ""),
        (FREEZE_BY_HAND, {"new_revision": True}, False, "SyncWindowClosed"),
        (AUTOMATED, {"new_revision": True, "unready": ("db is Progressing",)}, False, "DependencyNotReady"),
        (AUTOMATED, {"requested": True, "unready": ("db is Progressing",)}, False, "DependencyNotReady"),
        (AUTOMATED, {"drift": ("a",), "unready": ("db is Progressing",)}, True, ""),
        (AUTOMATED, {"new_revision": True, "circle": ("a", "b", "a")}, False, "DependencyCycle"),
        (AUTOMATED, {"new_revision": True, "failure": Failure("r", 1, NOON - 1), "deadline": NOON + 99}, False, "SyncFailed"),
        (AUTOMATED, {"new_revision": True, "failure": Failure("r", 1, NOON - 9), "deadline": NOON + 99}, True, ""),
        (AUTOMATED, {"requested": True, "failure": Failure("r", 9, NOON - 1), "deadline": NOON}, True, ""),
    ],
)  # fmt: skip
def test_decisions(policy: Policy, facts: dict[str, Any], allowed: bool, condition: str) -> None:
    found = permission(policy, Facts(NOON, **facts))
    assert (found.allowed, found.condition) == (allowed, condition)


def test_a_circle_is_printed_and_a_given_up_revision_says_what_tries_it_again() -> None:
    circle = permission(AUTOMATED, Facts(NOON, new_revision=True, circle=("a", "b", "a")))
    assert "a → b → a" in circle.message
    failure = Failure("r", 6, NOON - 1)
    facts = Facts(
        NOON, new_revision=True, failure=failure, deadline=NOON + 999, failed="x: refused"
    )
    given_up = permission(AUTOMATED, facts)
    assert given_up.ask_at is None
    assert "x: refused" in given_up.message
    assert "given up after 6 tries" in given_up.message
    assert "new revision" in given_up.message


def test_a_closed_window_says_when_it_is_asked_again() -> None:
    found = permission(FREEZE, Facts(NOON, new_revision=True))
    assert found.ask_at == parse_rfc3339("2026-03-02T17:00:00Z")
    assert "2026-03-02T17:00:00Z" in found.message


@pytest.mark.parametrize(
    ("failure", "deadline", "expected"),
    [
        (Failure("r", 1, 100.0), 1000.0, 105.0),
        (Failure("r", 3, 100.0), 1000.0, 120.0),
        (Failure("r", 5, 100.0), 1000.0, 180.0),
        (Failure("r", 6, 100.0), 1000.0, None),  # the limit
        (Failure("r", 2, 100.0), 105.0, None),  # one deadline for all tries together
        (Failure("r", 60, 100.0, passing=True), 0.0, 280.0),  # a full disk may pass
    ],
)
def test_retries_end(failure: Failure, deadline: float, expected: float | None) -> None:
    assert next_try(Retry(), failure, deadline) == expected


def test_a_failure_that_is_still_to_come_is_tried_again_at_once() -> None:
    """The clock was set back: waiting until it is there again could take hours."""
    failure = Failure("r", 5, NOON + 7200.0, passing=True)
    assert permission(AUTOMATED, Facts(NOON, new_revision=True, failure=failure)).allowed
    waiting = Failure("r", 5, NOON - 1.0, passing=True)
    assert not permission(AUTOMATED, Facts(NOON, new_revision=True, failure=waiting)).allowed


def test_a_limit_of_minus_one_never_gives_up() -> None:
    assert next_try(Retry(limit=-1), Failure("r", 10_000, 0.0), 0.0) == 180.0
