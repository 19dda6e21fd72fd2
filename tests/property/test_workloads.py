"""StatefulSets and Jobs, whatever happens and wherever they are interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.api import kinds
from reconciler.api.decision import Action, Decision
from reconciler.api.objects import Key, annotations_of, name_of
from reconciler.api.pods import is_active, is_finished, is_ready, phase
from reconciler.controllers.job import JobController
from reconciler.controllers.job.indexes import INDEX, index_of, parse, show
from reconciler.controllers.job.tally import is_tracked
from reconciler.controllers.statefulset import StatefulSetController
from reconciler.registry.admission import default
from tests.unit.controllers.snapshot import World, pods, workload

if TYPE_CHECKING:
    from reconciler.api.decision import Controller
    from reconciler.api.objects import Object


def _crash(world: World, controller: Controller, key: Key, after: int) -> None:
    """Plan, and die after so many writes."""
    decision = controller.plan(key, world, world.now)
    steps: list[Action] = []
    for step in decision.actions:
        steps += [step] if isinstance(step, Action) else step
    world.perform(Decision(tuple(steps[:after]), on_error=decision.on_error))


_EVENTS = st.sampled_from(["run", "kill", "end", "scale", "roll", "plan", "crash"])


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(["OrderedReady", "Parallel"]),
    st.lists(st.tuples(_EVENTS, st.integers(0, 5)), max_size=25),
)
def test_a_stateful_set_has_one_pod_an_ordinal_and_comes_to_rest(
    policy: str, story: list[tuple[str, int]]
) -> None:
    """SS03, SS05 to SS11: in order, no Pod before the one below it is ready, and none twice."""
    world, controller = World(), StatefulSetController()
    obj = workload("StatefulSet", 3, podManagementPolicy=policy)
    key = Key.of(world.add(default(obj)))
    size, image = 3, "one"
    for what, number in story:
        found = pods(world)
        match what:
            case "run":
                world.run_pods()
            case "kill" if found:
                world.delete(Key.of(found[number % len(found)]))
            case "end" if found:
                world.end_pod(found[number % len(found)], number % 2)
            case "scale":
                size = number
                world.change(key, replicas=size)
            case "roll":
                image = f"image-{number}"
                template = default(workload("StatefulSet", 1, image))["spec"]["template"]
                world.change(key, template=template)
            case "crash":
                _crash(world, controller, key, number)
            case _:
                _step(world, controller, ordered=policy == "OrderedReady")
    for _ in range(60):
        world.settle(controller)
        world.run_pods()
    world.settle(controller)
    assert [name_of(pod) for pod in pods(world, image)] == [f"web-{n}" for n in range(size)]
    assert len(pods(world)) == size
    assert not controller.plan(key, world, world.now).actions


def _step(world: World, controller: Controller, *, ordered: bool) -> None:
    before = {name_of(pod) for pod in pods(world)}
    ready = {name_of(pod) for pod in pods(world) if is_ready(pod) and phase(pod) == "Running"}
    world.step(controller)
    made = {name_of(pod) for pod in pods(world)} - before
    if ordered:
        assert len(made) <= 1
        for name in made:
            below = range(int(name.rpartition("-")[2]))
            assert all(f"web-{n}" in ready for n in below)


_JOB_EVENTS = st.sampled_from(
    ["succeed", "succeed and crash", "fail", "kill", "wait", "plan", "crash", "suspend", "resume"]
)


@example(2, 1, False, [*[("succeed", 0)] * 3, ("suspend", 0), ("crash", 2)])
@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 4), st.booleans(),
    st.lists(st.tuples(_JOB_EVENTS, st.integers(0, 6)), max_size=30),
)  # fmt: skip
def test_a_job_counts_each_end_once_and_never_runs_too_many(
    completions: int, parallelism: int, indexed: bool, story: list[tuple[str, int]]
) -> None:
    world, controller = World(), JobController()
    container = {"name": "main", "image": "work"}
    spec = {
        "completions": completions, "parallelism": parallelism, "backoffLimit": 100,
        "completionMode": "Indexed" if indexed else "NonIndexed",
        "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
    }  # fmt: skip
    about = {"name": "sum", "namespace": "default", "uid": "job-uid"}
    body: Object = {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec}
    key = Key.of(world.add(default(body)))
    succeeded: set[str] = set()
    for what, number in story:
        active = [pod for pod in pods(world) if is_active(pod)]
        pod = active[number % len(active)] if active else None
        match what:
            case "succeed" | "succeed and crash" if pod is not None:
                world.end_pod(pod)
                if is_tracked(pod):  # one that was let go to be deleted counts for nothing
                    succeeded.add(annotations_of(pod).get(INDEX) or name_of(pod))
                if what != "succeed":
                    _crash(world, controller, key, 1 + number % 2)
            case "fail" if pod is not None:
                world.end_pod(pod, 1)
            case "kill" if pod is not None:
                world.delete(Key.of(pod))
            case "wait":
                world.now += number * 30
            case "crash":
                _crash(world, controller, key, number)
            case "suspend" | "resume":
                world.change(key, suspend=what == "suspend")
            case _:
                world.step(controller)
        running = [pod for pod in pods(world) if is_active(pod)]
        assert len(running) <= parallelism
        indexes = [index_of(pod) for pod in running]
        assert not indexed or len(set(indexes)) == len(indexes)
    world.change(key, suspend=False)
    for _ in range(30):
        world.settle(controller)
        for pod in pods(world):
            if not is_finished(pod):
                world.end_pod(pod)
                succeeded.add(annotations_of(pod).get(INDEX) or name_of(pod))
        world.now += 600
    world.settle(controller)
    status = world.objects[key]["status"]
    assert "Complete" in [c["type"] for c in status["conditions"]]
    assert status["succeeded"] == (completions if indexed else len(succeeded))
    assert status["uncountedTerminatedPods"] == {}
    assert not any(pod["metadata"].get("finalizers") for pod in world.list(kinds.POD))
    assert not controller.plan(key, world, world.now).actions


@given(st.sets(st.integers(0, 200)))
def test_index_sets_are_read_as_they_are_written(indexes: set[int]) -> None:
    assert parse(show(indexes), 201) == indexes
