"""Jobs on the whole control plane, under virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, Propagation
from reconciler.clock import run_virtual
from reconciler.runtime.memory import Behaviour
from tests.simulation.plane import ControlPlane

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.api.objects import Object
    from reconciler.runtime.cri import ContainerConfig, SandboxConfig


def _job(name: str, **spec: Any) -> Object:
    container = {"name": "main", "image": "work", "command": ["work"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
            **spec,
        },
    }


def _ends(code: int) -> Any:
    def script(sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
        return Behaviour(exits_after=3, exit_code=code)

    return script


def _done(plane: ControlPlane, name: str, type_: str) -> bool:
    job = plane.cache.snapshot.get(kinds.JOB, "default", name)
    conditions = ((job or {}).get("status") or {}).get("conditions") or ()
    return any(c["type"] == type_ and c["status"] == "True" for c in conditions)


def test_a_job_runs_to_its_end_and_goes_with_its_pods(tmp_path: Path) -> None:
    async def story() -> None:
        async with ControlPlane(tmp_path, script=_ends(0)).running() as plane:
            wanted = _job("sum", completions=4, parallelism=2, completionMode="Indexed")
            await plane.registry.apply(wanted, field_manager="test")
            await plane.until(lambda: _done(plane, "sum", "Complete"), seconds=60)
            job = await plane.registry.get(kinds.JOB, "sum", "default")
            assert job["status"]["completedIndexes"] == "0-3"
            assert len(plane.pods()) == 4
            # The same manifest again changes nothing.
            again = await plane.registry.apply(wanted, field_manager="test")
            assert again["metadata"]["resourceVersion"] == job["metadata"]["resourceVersion"]
            options = DeleteOptions(propagation=Propagation.FOREGROUND)
            await plane.registry.delete(kinds.JOB, "sum", "default", options)
            await plane.until(lambda: not plane.pods(), seconds=60)
            await plane.until(
                lambda: plane.cache.snapshot.get(kinds.JOB, "default", "sum") is None, seconds=60
            )

    run_virtual(story())


def test_a_job_that_fails_gives_up_after_its_limit(tmp_path: Path) -> None:
    async def story() -> None:
        async with ControlPlane(tmp_path, script=_ends(1)).running() as plane:
            begin = plane.clock.now()
            await plane.registry.apply(_job("bad", backoffLimit=2), field_manager="test")
            await plane.until(lambda: _done(plane, "bad", "Failed"), seconds=200)
            job = await plane.registry.get(kinds.JOB, "bad", "default")
            assert job["status"]["failed"] == 3
            assert plane.clock.now() - begin >= 10 + 20 + 9

    run_virtual(story())


def test_ttl_and_orphans(tmp_path: Path) -> None:
    """G02: a Job that is deleted without a word leaves its Pods; a ttl takes them along."""

    async def story() -> None:
        async with ControlPlane(tmp_path, script=_ends(0)).running() as plane:
            await plane.registry.apply(_job("a", ttlSecondsAfterFinished=5), field_manager="test")
            await plane.until(lambda: _done(plane, "a", "Complete"), seconds=60)
            await plane.until(lambda: not plane.pods(), seconds=60)
            await plane.registry.apply(_job("b"), field_manager="test")
            await plane.until(lambda: _done(plane, "b", "Complete"), seconds=60)
            await plane.registry.delete(kinds.JOB, "b", "default")
            await plane.clock.sleep(10)
            (pod,) = plane.pods()
            assert not pod["metadata"].get("ownerReferences")
            assert plane.cache.snapshot.get(kinds.JOB, "default", "b") is None

    run_virtual(story())


def test_a_cron_job_runs_its_jobs_and_forgets_the_old_ones(tmp_path: Path) -> None:

    async def story() -> None:
        control = ControlPlane(tmp_path, script=_ends(0))
        job = _job("tick")["spec"]
        obj = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "tick", "namespace": "default"},
            "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": job}},
        }
        async with control.running() as plane:
            await plane.registry.apply(obj, field_manager="test")
            await plane.clock.sleep(3_600)
            names = [j["metadata"]["name"] for j in (await plane.registry.list(kinds.JOB)).items]
            minutes = [int(name.rpartition("-")[2]) for name in names]
            assert len(minutes) == 3
            assert minutes[1] - minutes[0] == minutes[2] - minutes[1] == 5
            await plane.until(lambda: len(plane.pods()) == 3, seconds=60)
            status = (await plane.registry.get(kinds.CRON_JOB, "tick", "default"))["status"]
            assert status["lastSuccessfulTime"] >= status["lastScheduleTime"]
            owner = await plane.registry.get(kinds.CRON_JOB, "tick", "default")
            options = DeleteOptions(propagation=Propagation.BACKGROUND)
            await plane.registry.delete(
                kinds.CRON_JOB, owner["metadata"]["name"], "default", options
            )
            await plane.until(lambda: not plane.pods(), seconds=120)

    run_virtual(story())


def test_a_readiness_gate_is_opened_by_somebody_else(tmp_path: Path) -> None:
    async def story() -> None:
        async with ControlPlane(tmp_path).running() as plane:
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "p", "namespace": "default"},
                "spec": {
                    "readinessGates": [{"conditionType": "example.com/warm"}],
                    "containers": [{"name": "c", "image": "c", "command": ["c"]}],
                },
            }
            await plane.registry.create(pod)
            await plane.clock.sleep(10)
            assert not plane.ready_pods()
            found = (await plane.registry.get(kinds.POD, "p", "default"))["status"]["conditions"]
            reasons = {c["type"]: c.get("reason") for c in found}
            assert reasons["Ready"] == "ReadinessGatesNotReady"
            gate = {"type": "example.com/warm", "status": "True"}
            patch = {"status": {"conditions": [*found, gate]}}
            await plane.registry.patch(kinds.POD, "p", "default", patch, subresource="status")
            await plane.until(lambda: len(plane.ready_pods()) == 1, seconds=10)

    run_virtual(story())
