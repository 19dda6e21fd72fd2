"""CronJobs: a Job a time of the schedule, no more and no fewer than their policies allow."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.api import kinds
from reconciler.api.objects import Key, meta, name_of
from reconciler.clock import parse_rfc3339, rfc3339
from reconciler.controllers.cronjob import CronJobController
from reconciler.registry.admission import default
from tests.unit.controllers.snapshot import World

_START = parse_rfc3339("2026-03-01T10:00:30Z")


def _cron(world: World, schedule: str = "*/5 * * * *", **spec: Any) -> Key:
    container = {"name": "main", "image": "work"}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    obj = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick", "namespace": "default"},
        "spec": {
            "schedule": schedule,
            "jobTemplate": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"template": pod},
            },
            **spec,
        },
    }
    key = Key.of(world.add(default(obj)))
    world.settle(CronJobController())
    return key


def _at(world: World, time: str) -> None:
    world.now = parse_rfc3339(time)
    world.settle(CronJobController())


def _jobs(world: World) -> list[str]:
    return [name_of(job) for job in world.list(kinds.JOB)]


def _end(world: World, type_: str = "Complete") -> None:
    for job in world.list(kinds.JOB):
        if not job.get("status"):
            stamp = rfc3339(world.now)
            condition = {"type": type_, "status": "True", "lastTransitionTime": stamp}
            status = {"conditions": [condition], "startTime": stamp}
            if type_ == "Complete":
                status["completionTime"] = stamp
            world.objects[Key.of(job)] = {**job, "status": status}
    world.settle(CronJobController())


def test_a_job_at_each_time_named_after_its_minute() -> None:
    world = World(_START)
    key = _cron(world)
    assert _jobs(world) == []
    # Looked at again within a minute, whatever the clock does.
    assert CronJobController().plan(key, world, world.now).requeue_after == 60
    _at(world, "2026-03-01T10:05:00Z")
    minute = int(world.now) // 60
    (job,) = world.list(kinds.JOB)
    assert name_of(job) == f"tick-{minute}"
    assert meta(job)["labels"] == {"a": "b"}
    stamp = "batch.kubernetes.io/cronjob-scheduled-timestamp"
    assert meta(job)["annotations"][stamp] == "2026-03-01T10:05:00Z"
    status = world.objects[key]["status"]
    assert status["lastScheduleTime"] == "2026-03-01T10:05:00Z"
    assert [ref["name"] for ref in status["active"]] == [name_of(job)]
    _end(world)
    status = world.objects[key]["status"]
    assert "active" not in status
    assert status["lastSuccessfulTime"] == "2026-03-01T10:05:00Z"
    assert f"Saw completed job: {name_of(job)}, condition: Complete" in world.notices


def test_a_job_that_was_made_before_a_crash_is_not_made_again() -> None:
    world = World(_START)
    key = _cron(world)
    _at(world, "2026-03-01T10:05:00Z")
    world.objects[key] = {k: v for k, v in world.objects[key].items() if k != "status"}
    world.settle(CronJobController())
    assert len(_jobs(world)) == 1
    assert world.objects[key]["status"]["lastScheduleTime"] == "2026-03-01T10:05:00Z"


@pytest.mark.parametrize(("policy", "left"), [("Allow", 2), ("Forbid", 1), ("Replace", 1)])
def test_what_happens_while_one_runs(policy: str, left: int) -> None:
    world = World(_START)
    _cron(world, concurrencyPolicy=policy)
    _at(world, "2026-03-01T10:05:00Z")
    first = _jobs(world)
    _at(world, "2026-03-01T10:10:00Z")
    assert len(_jobs(world)) == left
    assert (first[0] in _jobs(world)) is (policy != "Replace")
    _end(world)
    # What Forbid held back runs as soon as it may, if it is not too late.
    assert len(_jobs(world)) == 2 if policy == "Forbid" else left


def test_only_the_newest_missed_time_is_made_up_for() -> None:
    world = World(_START)
    _cron(world)
    _at(world, "2026-03-01T10:18:00Z")
    assert _jobs(world) == [f"tick-{int(parse_rfc3339('2026-03-01T10:15:00Z')) // 60}"]


def test_more_than_a_hundred_missed_times_are_told_of() -> None:
    world = World(_START)
    _cron(world, "* * * * *")
    _at(world, "2026-03-01T11:40:59Z")
    assert not any("too many missed" in told for told in world.notices)
    _end(world)
    _at(world, "2026-03-01T14:00:00Z")
    assert any("too many missed" in told for told in world.notices)
    assert len(_jobs(world)) == 2


def test_a_time_that_is_too_long_ago_is_not_made_up_for() -> None:
    world = World(_START)
    _cron(world, startingDeadlineSeconds=60)
    _at(world, "2026-03-01T10:07:00Z")
    assert _jobs(world) == []
    _at(world, "2026-03-01T10:10:59Z")
    assert len(_jobs(world)) == 1


def test_a_suspended_one_starts_nothing() -> None:
    world = World(_START)
    key = _cron(world, suspend=True)
    _at(world, "2026-03-01T10:07:00Z")
    assert _jobs(world) == []
    world.change(key, suspend=False)
    world.settle(CronJobController())
    assert len(_jobs(world)) == 1


def test_only_so_many_ended_jobs_are_kept() -> None:
    world = World(_START)
    _cron(world, "* * * * *", successfulJobsHistoryLimit=2, failedJobsHistoryLimit=1)
    for minute in range(1, 9):
        _at(world, f"2026-03-01T10:0{minute}:00Z")
        _end(world, "Failed" if minute % 2 else "Complete")
    minutes = [int(name.rpartition("-")[2]) % 60 for name in _jobs(world)]
    assert minutes == [6, 7, 8]


def test_a_schedule_follows_its_time_zone() -> None:
    world = World(parse_rfc3339("2026-07-01T00:00:00Z"))
    _cron(world, "0 9 * * *", timeZone="Europe/Berlin")
    _at(world, "2026-07-01T06:59:59Z")
    assert _jobs(world) == []
    _at(world, "2026-07-01T07:00:00Z")
    (job,) = world.list(kinds.JOB)
    stamp = meta(job)["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert stamp == "2026-07-01T09:00:00+02:00"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"timeZone": "Mars/Base"}, "unknown time zone Mars/Base"),
        ({"schedule": "* * *"}, "expected exactly 5 fields, found 3"),
    ],
)
def test_what_cannot_be_read_is_told_and_starts_nothing(spec: dict[str, Any], told: str) -> None:
    world = World(_START)
    _cron(world, **spec)
    _at(world, "2026-03-02T10:00:00Z")
    assert _jobs(world) == []
    assert any(told in notice for notice in world.notices)
