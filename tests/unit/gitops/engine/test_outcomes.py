"""Observers of sync outcomes."""

from __future__ import annotations

from reconciler.gitops.engine import Outcome, OutcomeKind
from reconciler.gitops.engine.outcomes import Outcomes

APP = {"metadata": {"name": "shop"}}


def test_an_observer_that_fails_keeps_nothing_from_the_others() -> None:
    heard: list[str] = []

    def broken(outcome: Outcome) -> None:
        raise RuntimeError(outcome.message)

    outcomes = Outcomes([broken])
    outcomes.subscribe(lambda o: heard.append(f"{o.name} {o.kind}"))
    outcomes.tell(Outcome(OutcomeKind.FAILED, APP, "r1", "refused", 1.0))
    assert heard == ["shop failed"]
