"""Jobs: Pods to their end, counted once, whatever goes wrong on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.decision import Action, Decision, Delete, Patch, UpdateStatus
from reconciler.api.objects import Key, is_deleting, meta, name_of
from reconciler.api.pods import is_active
from reconciler.controllers.job import JobController
from reconciler.controllers.job.indexes import INDEX
from reconciler.controllers.job.tally import FINALIZER
from reconciler.controllers.job.ttl import TimeToLiveController
from reconciler.registry.admission import default
from tests.unit.controllers.snapshot import World

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def _job(world: World, restart: str = "Never", **spec: Any) -> Key:
    container = {"name": "main", "image": "work"}
    obj = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "sum", "namespace": "default", "uid": "job-uid"},
        "spec": {
            "template": {"spec": {"restartPolicy": restart, "containers": [container]}},
            **spec,
        },
    }
    key = Key.of(world.add(default(obj)))
    world.settle(JobController())
    return key


def _active(world: World) -> list[Object]:
    return [pod for pod in world.list(kinds.POD) if is_active(pod)]


def _end(world: World, code: int = 0, count: int = 1) -> None:
    for pod in _active(world)[:count]:
        world.end_pod(pod, code)
    world.settle(JobController())


def _conditions(world: World, key: Key) -> dict[str, str]:
    conditions = world.objects[key]["status"].get("conditions") or ()
    return {c["type"]: c["reason"] for c in conditions if c["status"] == "True"}


def test_it_runs_so_many_at_once_until_so_many_are_done() -> None:
    world = World()
    key = _job(world, completions=5, parallelism=2)
    assert len(_active(world)) == 2
    pod = _active(world)[0]
    assert FINALIZER in meta(pod)["finalizers"]
    assert meta(pod)["labels"]["batch.kubernetes.io/job-name"] == "sum"
    for done in range(1, 5):
        _end(world)
        assert world.objects[key]["status"]["succeeded"] == done
        assert len(_active(world)) == min(2, 5 - done)
    _end(world)
    status = world.objects[key]["status"]
    assert status["succeeded"] == 5
    assert "active" not in status
    assert status["completionTime"]
    assert status["uncountedTerminatedPods"] == {}
    assert _conditions(world, key) == {
        "SuccessCriteriaMet": "CompletionsReached",
        "Complete": "CompletionsReached",
    }
    assert not any(meta(pod).get("finalizers") for pod in world.list(kinds.POD))
    assert "Job completed" in world.notices


def test_a_work_queue_begins_nothing_after_the_first_success() -> None:
    world = World()
    key = _job(world, parallelism=3)
    assert len(_active(world)) == 3
    _end(world)
    assert len(_active(world)) == 2
    assert _conditions(world, key) == {}
    _end(world, count=2)
    assert _conditions(world, key)["Complete"] == "CompletionsReached"


def test_failures_wait_longer_each_time_until_the_limit() -> None:
    """10 s, 20 s, 40 s … after each failure in a row; more than backoffLimit of them end the Job."""
    world = World()
    key = _job(world, backoffLimit=3)
    for wait in (10, 20, 40):
        _end(world, code=1)
        assert not _active(world)
        world.now += wait - 1
        world.settle(JobController())
        assert not _active(world)
        assert JobController().plan(key, world, world.now).requeue_after == 1
        world.now += 1
        world.settle(JobController())
        assert len(_active(world)) == 1
    _end(world, code=1)
    assert world.objects[key]["status"]["failed"] == 4
    assert _conditions(world, key)["Failed"] == "BackoffLimitExceeded"
    assert "completionTime" not in world.objects[key]["status"]


def test_a_failure_in_the_second_of_a_success_waits_as_well() -> None:
    """Times are cut to seconds: one that fails at once would be tried until the limit within that second."""
    world = World()
    _job(world, completions=3)
    _end(world)
    _end(world, 1)
    assert not _active(world)
    world.now += 10
    world.settle(JobController())
    assert len(_active(world)) == 1


def test_a_failure_that_lies_ahead_is_not_waited_for() -> None:
    """The clock was set back: the next try would come only when it has come round again."""
    world = World()
    _job(world)
    _end(world, 1)
    assert not _active(world)
    world.now -= 3600
    world.settle(JobController())
    assert len(_active(world)) == 1


def test_restarts_count_where_the_kubelet_restarts() -> None:
    world = World()
    key = _job(world, restart="OnFailure", backoffLimit=2)
    pod = _active(world)[0]
    for restarts, over in ((1, False), (2, True)):
        status = {"phase": "Running", "containerStatuses": [{"restartCount": restarts}]}
        world.objects[Key.of(pod)] = {**world.objects[Key.of(pod)], "status": status}
        world.settle(JobController())
        assert ("Failed" in _conditions(world, key)) is over
    assert not _active(world)


def test_the_deadline_ends_it_and_its_pods() -> None:
    world = World()
    key = _job(world, activeDeadlineSeconds=60)
    assert JobController().plan(key, world, world.now).requeue_after == 60
    world.now += 60
    world.settle(JobController())
    assert not _active(world)
    assert _conditions(world, key)["Failed"] == "DeadlineExceeded"


def test_a_job_is_over_only_when_its_last_pod_is() -> None:
    world = World()
    key = _job(world, activeDeadlineSeconds=60)
    pod = _active(world)[0]
    # The kubelet takes its time: the Pod is held by a finalizer of its own.
    meta(world.objects[Key.of(pod)])["finalizers"].append("example.com/slow")
    world.now += 60
    world.settle(JobController())
    assert _conditions(world, key) == {"FailureTarget": "DeadlineExceeded"}
    assert world.objects[key]["status"]["terminating"] == 1
    meta(world.objects[Key.of(pod)])["finalizers"] = None
    del world.objects[Key.of(pod)]
    world.settle(JobController())
    assert _conditions(world, key)["Failed"] == "DeadlineExceeded"


def test_a_suspended_job_has_no_pods_and_starts_anew() -> None:
    world = World()
    key = _job(world, backoffLimit=0)
    begun = world.objects[key]["status"]["startTime"]
    world.change(key, suspend=True)
    world.settle(JobController())
    assert not world.list(kinds.POD)
    assert _conditions(world, key) == {"Suspended": "JobSuspended"}
    assert "failed" not in world.objects[key]["status"]
    world.now += 100
    world.change(key, suspend=False)
    world.settle(JobController())
    assert len(_active(world)) == 1
    assert world.objects[key]["status"]["startTime"] != begun
    assert _conditions(world, key) == {}


def test_each_index_has_its_name_and_is_done_once() -> None:
    world = World()
    key = _job(world, completions=3, parallelism=3, completionMode="Indexed")
    pods = {meta(pod)["annotations"][INDEX]: pod for pod in _active(world)}
    assert sorted(pods) == ["0", "1", "2"]
    pod = pods["2"]
    assert name_of(pod).startswith("sum-2-")
    assert pod["spec"]["hostname"] == "sum-2"
    assert meta(pod)["labels"][INDEX] == "2"
    variable = pod["spec"]["containers"][0]["env"][0]
    assert variable["name"] == "JOB_COMPLETION_INDEX"
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{INDEX}']"
    world.end_pod(pods["0"])
    world.end_pod(pods["2"])
    world.end_pod(pods["1"], 1)
    world.now += 10
    world.settle(JobController())
    assert world.objects[key]["status"]["completedIndexes"] == "0,2"
    assert [meta(pod)["annotations"][INDEX] for pod in _active(world)] == ["1"]
    _end(world)
    assert world.objects[key]["status"]["completedIndexes"] == "0-2"
    assert _conditions(world, key)["Complete"] == "CompletionsReached"


def test_an_index_fails_by_its_own_limit_and_the_others_go_on() -> None:
    world = World()
    key = _job(
        world, completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=1
    )
    for _ in range(2):
        bad = [p for p in _active(world) if meta(p)["annotations"][INDEX] == "0"]
        world.end_pod(bad[0], 1)
        world.settle(JobController())
        world.now += 10
        world.settle(JobController())
    assert world.objects[key]["status"]["failedIndexes"] == "0"
    assert [meta(pod)["annotations"][INDEX] for pod in _active(world)] == ["1"]
    _end(world)
    assert world.objects[key]["status"]["completedIndexes"] == "1"
    assert _conditions(world, key)["Failed"] == "FailedIndexes"


def test_too_many_failed_indexes_end_it() -> None:
    world = World()
    key = _job(
        world, completions=4, parallelism=4, completionMode="Indexed",
        backoffLimitPerIndex=0, maxFailedIndexes=1,
    )  # fmt: skip
    _end(world, code=1)
    assert "FailureTarget" not in _conditions(world, key)
    _end(world, code=1)
    assert _conditions(world, key)["Failed"] == "MaxFailedIndexesExceeded"


@pytest.mark.parametrize(
    ("rule", "failed", "outcome"),
    [
        ({"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}, 0, None),
        ({"action": "Count", "onExitCodes": {"operator": "In", "values": [42]}}, 1, None),
        ({"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [1]}}, 1, "Failed"),
        ({"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}, 1, None),
    ],
)
def test_the_failure_policy_decides_what_a_failure_means(
    rule: dict[str, Any], failed: int, outcome: str | None
) -> None:
    world = World()
    key = _job(world, podFailurePolicy={"rules": [rule]})
    _end(world, code=42)
    status = world.objects[key]["status"]
    assert status.get("failed", 0) == failed
    assert _conditions(world, key).get("Failed") == ("PodFailurePolicy" if outcome else None)
    if outcome:
        told = next(c["message"] for c in status["conditions"] if c["type"] == "Failed")
        assert "failed with exit code 42 matching FailJob rule at index 0" in told


def test_a_success_policy_ends_it_before_all_indexes_are_done() -> None:
    world = World()
    rules = [{"succeededIndexes": "0", "succeededCount": 1}]
    key = _job(
        world, completions=3, parallelism=3, completionMode="Indexed",
        successPolicy={"rules": rules},
    )  # fmt: skip
    _end(world)
    assert not _active(world)
    assert _conditions(world, key)["Complete"] == "SuccessPolicy"


def test_no_pod_is_counted_twice_or_lost_whatever_is_interrupted() -> None:
    """A crash after any write of any plan leaves the count right."""
    for crash_after in range(6):
        world = World()
        key = _job(world, completions=2, parallelism=2)
        for pod in _active(world):
            world.end_pod(pod)
        decision = JobController().plan(key, world, world.now)
        steps: list[Action] = []
        for step in decision.actions:
            steps += [step] if isinstance(step, Action) else step
        world.perform(Decision(tuple(steps[:crash_after])))
        world.settle(JobController())
        assert world.objects[key]["status"]["succeeded"] == 2


def test_a_pod_that_was_let_go_to_be_deleted_is_deleted_after_a_crash_between_the_two() -> None:
    """Nobody counts it any more: were it kept after the Job resumed, its success would be lost and the work done again."""
    world = World()
    key = _job(world, completions=2)
    _end(world)
    released = _active(world)[0]
    world.change(key, suspend=True)
    decision = JobController().plan(key, world, world.now)
    steps: list[Action] = []
    for step in decision.actions:
        steps += [step] if isinstance(step, Action) else step
    world.perform(
        Decision(tuple(steps[: steps.index(next(s for s in steps if isinstance(s, Delete)))]))
    )
    assert name_of(released) in [name_of(pod) for pod in _active(world)]
    world.change(key, suspend=False)
    world.settle(JobController())
    (pod,) = _active(world)
    assert name_of(pod) != name_of(released)
    _end(world)
    assert world.objects[key]["status"]["succeeded"] == 2
    assert "Complete" in _conditions(world, key)


def test_the_count_is_written_before_a_pod_is_let_go() -> None:
    world = World()
    key = _job(world)
    world.end_pod(_active(world)[0])
    decision = JobController().plan(key, world, world.now)
    assert isinstance(decision.actions[0], UpdateStatus)
    last = decision.actions[-1]
    assert type(last) is tuple
    assert isinstance(last[0], Patch)


def test_pods_of_a_job_that_is_gone_are_let_go() -> None:
    world = World()
    key = _job(world)
    pod = _active(world)[0]
    del world.objects[key]
    world.perform(JobController().plan(key, world, world.now))
    assert not meta(world.objects[Key.of(pod)]).get("finalizers")


def test_a_replacement_waits_for_the_end_where_that_is_asked_for() -> None:
    for policy, running in (("Failed", 0), ("TerminatingOrFailed", 1)):
        world = World()
        _job(world, podReplacementPolicy=policy)
        pod = _active(world)[0]
        meta(world.objects[Key.of(pod)])["finalizers"].append("example.com/slow")
        world.delete(Key.of(pod))
        world.now += 10
        world.settle(JobController())
        assert len(_active(world)) == running
        assert any(is_deleting(p) for p in world.list(kinds.POD))


def test_it_is_deleted_when_its_time_is_up() -> None:
    world = World()
    key = _job(world, ttlSecondsAfterFinished=30)
    _end(world)
    world.now += 29
    assert TimeToLiveController().plan(key, world, world.now).requeue_after == pytest.approx(1)
    world.now += 1
    world.settle(TimeToLiveController())
    assert key not in world.objects
