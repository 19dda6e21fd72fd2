"""Projected tokens of ServiceAccounts as real processes read them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api.pods import is_ready

if TYPE_CHECKING:
    from tests.unit.kubelet.node import Node

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
SHOW = "cat /t/token; echo; stat -c '%a %u %g' -L /t/token"


def mounts(**token: Any) -> dict[str, Any]:
    part = {"serviceAccountToken": {"path": "token", **token}}
    return {
        "volumes": [{"name": "t", "projected": {"sources": [part]}}],
        "container": {"volumeMounts": [{"name": "t", "mountPath": "/t"}]},
    }


async def test_a_process_reads_a_token_of_its_pod(node: Node) -> None:
    await node.create("v1", "ServiceAccount", "robot")
    await node.run(SHOW, serviceAccountName="robot", **mounts(audience="shop"))
    pod = await node.finished()
    token, access = node.output(pod)
    found = await node.tokens.review(token, ("shop",))
    assert found["user"]["username"] == "system:serviceaccount:default:robot"
    extra = found["user"]["extra"]
    assert extra["authentication.kubernetes.io/pod-uid"] == [pod["metadata"]["uid"]]
    assert extra["authentication.kubernetes.io/node-name"] == ["node"]
    assert access.split()[0] == "644"
    on_disk = node.state_dir / "pods" / pod["metadata"]["uid"]
    assert token.encode() not in b"".join(
        p.read_bytes() for p in on_disk.rglob("*") if p.is_file() and "logs" not in p.parts
    )


@as_root
@pytest.mark.parametrize(
    ("security", "shown"),
    [
        ({"runAsUser": 4242}, "600 4242 0"),
        ({"runAsUser": 4242, "fsGroup": 77}, "640 4242 77"),
        ({"fsGroup": 77}, "640 0 77"),
    ],
)
async def test_nobody_but_the_pods_user_and_group_reads_it(
    node: Node, security: dict[str, Any], shown: str
) -> None:
    await node.create("v1", "ServiceAccount", "default")
    await node.run(SHOW, securityContext=security, **mounts())
    token, access = node.output(await node.finished())
    assert (await node.tokens.review(token, ()))["authenticated"]
    assert access == shown


@as_root
async def test_a_pod_with_users_of_its_own_reads_it(node: Node) -> None:
    await node.create("v1", "ServiceAccount", "default")
    await node.run(SHOW, hostUsers=False, securityContext={"runAsUser": 1000}, **mounts())
    token, access = node.output(await node.finished())
    assert (await node.tokens.review(token, ()))["authenticated"]
    assert access == "600 1000 0"


async def test_a_kubelet_that_begins_anew_writes_another(node: Node) -> None:
    """No token is kept but where the Pod sees it: what a new kubelet does not know it replaces."""
    await node.create("v1", "ServiceAccount", "default")
    script = (
        "a=$(cat /t/token); touch /dev/shm/read; "
        'while [ "$a" = "$(cat /t/token)" ]; do sleep 0.1; done; cat /t/token'
    )
    spec = mounts()
    spec["container"]["readinessProbe"] = {
        "exec": {"command": ["ls", "/dev/shm/read"]}, "periodSeconds": 1
    }  # fmt: skip
    await node.run(script, **spec)
    await node.until(is_ready)
    await node.restart()
    (token,) = node.output(await node.finished())
    assert (await node.tokens.review(token, ()))["authenticated"]
