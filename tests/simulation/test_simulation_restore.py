"""Objects without their machine: the same store over a runtime in which nothing runs, as after a restore elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.objects import name_of, uid_of
from reconciler.clock import run_virtual
from reconciler.daemon.identity import node_name
from reconciler.registry import Registry
from tests.simulation.plane import ControlPlane, deployment

if TYPE_CHECKING:
    from pathlib import Path

STATEFUL: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db", "namespace": "default"},
    "spec": {
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {
                "containers": [
                    {
                        "name": "db",
                        "image": "db",
                        "command": ["db"],
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ]
            },
        },
        "volumeClaimTemplates": [
            {
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                    "storageClassName": "local-path",
                },
            }
        ],
    },
}
CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "local-path"},
    "provisioner": "reconciler.dev/local-path",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def test_what_ran_runs_again_with_its_names_and_volumes(tmp_path: Path) -> None:
    async def main() -> None:
        old = ControlPlane(tmp_path / "old")
        async with old.running():
            for obj in (CLASS, deployment("web", 3), STATEFUL):
                await old.registry.create(obj)
            await old.until(lambda: len(old.ready_pods()) == 4)
            before = {name_of(p): uid_of(p) for p in old.pods()}

        new = ControlPlane(tmp_path / "new", seed=7)
        new.store = old.store
        new.registry = Registry(new.store, clock=new.clock, entropy=new.entropy)
        async with new.running():
            await new.kubelet.ready.wait()
            assert new.kubelet.losses == 4
            while len(new.ready_pods()) < 4:
                running = {c.pod_uid for c in await new.runtime.containers()}
                assert {uid_of(p) for p in new.ready_pods()} <= running
                await new.clock.sleep(0.01)
            assert len(await new.runtime.containers()) == 4
            assert {name_of(p): uid_of(p) for p in new.pods()} == before
            claims = (await new.registry.list(kinds.PERSISTENT_VOLUME_CLAIM)).items
            assert [c["status"]["phase"] for c in claims] == ["Bound"]

    run_virtual(main())


def test_a_node_keeps_its_name_whatever_its_machine_is_called(tmp_path: Path) -> None:
    async def main() -> None:
        plane = ControlPlane(tmp_path)
        await plane.registry.start()
        assert await node_name(plane.registry, "laptop") == "laptop"
        await plane.registry.create(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "old"}}
        )
        assert await node_name(plane.registry, "laptop") == "old"
        assert await node_name(plane.registry, "old") == "old"
        await plane.registry.close()

    run_virtual(main())
