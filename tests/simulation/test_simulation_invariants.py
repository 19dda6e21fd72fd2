"""What the invariants must see: each is shown what it is there for, planted into one short story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.disruption import Eviction
from reconciler.apiserver import eviction
from reconciler.controllers import cronjob, statefulset
from reconciler.controllers.job.tally import Tally, status_of
from reconciler.proxy.table import RoutingTable
from reconciler.simulation import Step, Story, play

if TYPE_CHECKING:
    import pytest

    from reconciler.api.objects import Object


def _play(*steps: Step) -> str:
    return play(Story(1, steps, hours=0.1)).broken


def test_an_eviction_that_asks_no_budget_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (
        Step(0.0, "create", "deployment-0", 2),
        Step(0.0, "guard", "deployment-0", 1),
        Step(20.0, "evict", "deployment-0", 0),
    )
    assert _play(*steps) == ""
    monkeypatch.setattr(eviction, "evict", lambda *_: Eviction())
    assert "evictions left 0 ready Pods" in _play(*steps)


def test_a_change_of_configuration_that_rolls_nothing_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = (Step(0.0, "create", "daemonset-0", 1), Step(20.0, "config", "daemonset-0", 0))
    assert _play(*steps) == ""
    monkeypatch.setattr("reconciler.api.config_hash.hash_of", lambda _: "equal")
    assert "runs with SETTING 1, not 2" in _play(*steps)


def test_a_success_that_is_not_counted_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (Step(0.0, "create", "job-0", 2),)
    assert _play(*steps) == ""

    def forgetful(found: Tally, job: Object) -> dict[str, Any]:
        told = status_of(found, job)
        return {**told, "succeeded": 1} if told.get("succeeded") else told

    monkeypatch.setattr("reconciler.controllers.job.status_of", forgetful)
    assert "successes" in _play(*steps)


def test_two_runs_at_once_where_they_are_forbidden_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = (
        Step(0.0, "create", "cronjob-0", 1),
        Step(0.0, "strategy", "cronjob-0", 1),
        Step(120.0, "env", "daemonset-0", 0),
    )
    assert _play(*steps) == ""
    monkeypatch.setattr(cronjob, "is_over", lambda _: True)
    assert "runs two Jobs at once" in _play(*steps)


def test_a_pod_before_the_one_below_it_is_ready_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (Step(0.0, "create", "statefulset-0", 3),)
    assert _play(*steps) == ""
    begin = statefulset._Plan.__init__

    def hasty(plan: statefulset._Plan, *given: Any) -> None:
        begin(plan, *given)
        plan.parallel = True

    monkeypatch.setattr(statefulset._Plan, "__init__", hasty)
    assert "is not ready" in _play(*steps)


def test_requests_to_a_pod_that_is_not_ready_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (
        Step(0.0, "create", "deployment-0", 1),
        Step(20.0, "unready", "deployment-0", 60),
        Step(70.0, "jump", "deployment-0", 1),
    )
    assert _play(*steps) == ""
    set_slice, known = RoutingTable.set_slice, set[str]()

    def once(table: RoutingTable, service: Any, name: str, piece: Any) -> Any:
        ready = any(
            (e.get("conditions") or {}).get("ready") for e in (piece or {}).get("endpoints") or ()
        )
        if name in known:
            return None
        if ready:
            known.add(name)
        return set_slice(table, service, name, piece)

    monkeypatch.setattr(RoutingTable, "set_slice", once)
    assert "requests go to" in _play(*steps)
