"""Stories that once broke, as short as they were shrunk to."""

from __future__ import annotations

import pytest

from reconciler.simulation import Step, Story, play

_STORIES = {
    "a start that failed is tried again though the clock was set back": (
        Step(0.0, "create", "deployment-0", 2),
        Step(3.95, "unstartable", "deployment-0", 14),
        Step(5.14, "config", "deployment-0", 1),
        Step(25.95, "back", "deployment-0", 10),
    ),
    "so is an image that could not be pulled": (
        Step(22.25, "create", "parallel-0", 2),
        Step(26.53, "unpullable", "parallel-0", 20),
        Step(39.08, "config", "parallel-0", 3),
        Step(44.17, "back", "parallel-0", 15),
    ),
    "a Pod of a DaemonSet that was evicted is made anew though the clock was set back": (
        Step(0.0, "create", "daemonset-0", 1),
        Step(3.79, "pressure", "daemonset-0", 2),
        Step(8.72, "back", "daemonset-0", 31),
    ),
    "a Job whose Pods fail in the second of a success waits before it tries again": (
        Step(0.0, "create", "job-0", 3),
        Step(26.76, "remove", "job-0", 3),
        Step(27.53, "unstartable", "job-0", 6),
    ),
    "an autoscaler decides though its Pods started in what is the future now": (
        Step(0.0, "create", "deployment-0", 3),
        Step(0.0, "autoscale", "deployment-0", 1),
        Step(5.86, "back", "deployment-0", 34),
    ),
    "an autoscaler does not stand still for as long as the clock was set back": (
        Step(0.0, "create", "recreate-0", 2),
        Step(0.0, "autoscale", "recreate-0", 1),
        Step(26.91, "back", "recreate-0", 1),
        Step(30.58, "back", "recreate-0", 2),
    ),
}


@pytest.mark.parametrize("steps", _STORIES.values(), ids=_STORIES.keys())
def test_what_once_broke_holds(steps: tuple[Step, ...]) -> None:
    assert play(Story(1, steps, hours=0.1)).broken == ""
