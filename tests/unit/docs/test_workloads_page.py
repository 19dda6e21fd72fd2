"""The manifests in docs/workloads.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.api import kinds
from reconciler.clock import run_virtual
from reconciler.runtime.memory import Behaviour
from tests.simulation.plane import ControlPlane

if TYPE_CHECKING:
    from reconciler.runtime.cri import ContainerConfig, SandboxConfig

PAGE = Path(__file__).parents[3] / "docs" / "workloads.md"


def _script(sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
    return Behaviour(None if container.name == "web" else 1.0)


def test_every_example_runs(tmp_path: Path) -> None:
    texts = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found: list[dict[str, Any]] = [yaml.safe_load(text) for text in texts]
    assert [obj["kind"] for obj in found] == ["Deployment", "Job", "CronJob"]

    async def story() -> None:
        async with ControlPlane(tmp_path, script=_script).running() as plane:
            for obj in found:
                obj["metadata"]["namespace"] = "default"
                await plane.registry.apply(obj, field_manager="test")
            await plane.until(lambda: len(plane.ready_pods()) >= 2, seconds=60)
            await plane.clock.sleep(30)
            job = await plane.registry.get(kinds.JOB, "import", "default")
            assert job["status"]["completedIndexes"] == "0-2"
            await plane.clock.sleep(20_000)  # past 04:30 in Berlin
            runs = (await plane.registry.get(kinds.CRON_JOB, "report", "default"))["status"]
            assert runs["lastSuccessfulTime"]
            names = [j["metadata"]["name"] for j in (await plane.registry.list(kinds.JOB)).items]
            assert "import" not in names

    run_virtual(story())
