"""Pods as an API server takes them: defaults, what may change, how they are deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions
from reconciler.errors import Invalid, NotFound

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.registry import Registry


def _pod(container: dict[str, Any] | None = None, **spec: Any) -> Object:
    containers = [{"name": "c", "image": "app:1", **(container or {})}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": containers, **spec},
    }


async def test_defaults(registry: Registry) -> None:
    """P01, D01, P36: and a volume without a source is an emptyDir."""
    pod = await registry.create(_pod(volumes=[{"name": "v"}]))
    assert pod["spec"]["restartPolicy"] == "Always"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 30
    assert pod["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("registry:5000/app", "Always"),
        ("app:1", "IfNotPresent"),
        ("registry:5000/app:1", "IfNotPresent"),
        ("app@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
async def test_pull_policy(registry: Registry, image: str, policy: str) -> None:
    """P21."""
    pod = await registry.create(_pod({"image": image}))
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == policy


async def test_probe_defaults(registry: Registry) -> None:
    """B01."""
    pod = await registry.create(_pod({"readinessProbe": {"httpGet": {"port": 80}}}))
    probe = pod["spec"]["containers"][0]["readinessProbe"]
    assert probe == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["livenessProbe", "startupProbe"])
async def test_only_readiness_may_need_several_successes(registry: Registry, kind: str) -> None:
    """B02."""
    probe = {"tcpSocket": {"port": 80}, "successThreshold": 2}
    with pytest.raises(Invalid, match="must be 1"):
        await registry.create(_pod({kind: probe}))
    await registry.create(_pod({"readinessProbe": probe}))


async def test_a_grace_of_its_own_is_not_for_readiness(registry: Registry) -> None:
    """B14."""
    probe = {"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 5}
    with pytest.raises(Invalid, match="terminationGracePeriodSeconds"):
        await registry.create(_pod({"readinessProbe": probe}))


async def test_requests_follow_limits_in_a_pod_and_not_in_a_template(registry: Registry) -> None:
    """P39."""
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    pod = await registry.create(_pod({"resources": resources}))
    found = pod["spec"]["containers"][0]["resources"]["requests"]
    assert found == {"cpu": "500m", "memory": "1Gi"}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": _pod({"resources": resources})["spec"]}
    made = await registry.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        }
    )
    inside = made["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert inside == {"cpu": "500m"}


@pytest.mark.parametrize(
    ("resources", "qos"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}}, "Guaranteed"),
    ],
)
async def test_quality_of_service(registry: Registry, resources: dict[str, Any], qos: str) -> None:
    """P40."""
    pod = await registry.create(_pod({"resources": resources}))
    assert pod["status"]["qosClass"] == qos


async def test_host_network_takes_the_ports_of_the_host(registry: Registry) -> None:
    """P41."""
    pod = await registry.create(_pod({"ports": [{"containerPort": 80}]}, hostNetwork=True))
    assert pod["spec"]["containers"][0]["ports"][0]["hostPort"] == 80
    port = {"containerPort": 80, "hostPort": 81}
    other = _pod({"ports": [port]}, hostNetwork=True)
    other["metadata"]["name"] = "other"
    with pytest.raises(Invalid, match="must match `containerPort`"):
        await registry.create(other)


async def test_little_of_a_pod_may_change(registry: Registry) -> None:
    """P44, P19: an image, a deadline that only shortens, tolerations that only grow."""
    await registry.create(_pod())

    async def patch(spec: dict[str, Any]) -> None:
        await registry.patch(kinds.POD, "p", "default", {"spec": spec})

    await patch({"containers": [{**(await _spec(registry))["containers"][0], "image": "app:2"}]})
    await patch({"activeDeadlineSeconds": 100})
    await patch({"activeDeadlineSeconds": 50})
    await patch({"tolerations": [{"key": "a", "operator": "Exists"}]})
    changes: tuple[dict[str, Any], ...] = (
        {"activeDeadlineSeconds": 60},
        {"activeDeadlineSeconds": None},
        {"terminationGracePeriodSeconds": 5},
        {"hostname": "other"},
        {"restartPolicy": "Never"},
        {"tolerations": []},
    )
    for refused in changes:
        with pytest.raises(Invalid):
            await patch(refused)


async def _spec(registry: Registry) -> dict[str, Any]:
    found: dict[str, Any] = (await registry.get(kinds.POD, "p", "default"))["spec"]
    return found


async def test_a_pod_without_a_node_goes_at_once(registry: Registry) -> None:
    """D03: as does one that has ended."""
    await registry.create(_pod())
    await registry.delete(kinds.POD, "p", "default")
    with pytest.raises(NotFound):
        await registry.get(kinds.POD, "p", "default")
    made = await registry.create(_pod(nodeName="here"))
    status = {**made["status"], "phase": "Succeeded"}
    await registry.update({**made, "status": status}, subresource="status")
    await registry.delete(kinds.POD, "p", "default")
    with pytest.raises(NotFound):
        await registry.get(kinds.POD, "p", "default")


async def test_a_pod_on_a_node_has_its_grace(registry: Registry) -> None:
    """D02, D05, D04: a second request may shorten it, and 0 ends it."""
    await registry.create(_pod(nodeName="here"))
    gone = await registry.delete(kinds.POD, "p", "default")
    assert gone["metadata"]["deletionGracePeriodSeconds"] == 30
    for asked, left in ((60, 30), (5, 5), (20, 5)):
        gone = await registry.delete(kinds.POD, "p", "default", DeleteOptions(grace_seconds=asked))
        assert gone["metadata"]["deletionGracePeriodSeconds"] == left
    assert gone["metadata"]["generation"] == 2
    await registry.delete(kinds.POD, "p", "default", DeleteOptions(grace_seconds=0))
    with pytest.raises(NotFound):
        await registry.get(kinds.POD, "p", "default")


async def test_a_finalizer_keeps_a_pod_that_has_ended(registry: Registry) -> None:
    """D09."""
    pod = _pod(nodeName="here")
    pod["metadata"]["finalizers"] = ["example.com/a"]
    await registry.create(pod)
    await registry.delete(kinds.POD, "p", "default", DeleteOptions(grace_seconds=0))
    assert (await registry.get(kinds.POD, "p", "default"))["metadata"]["deletionTimestamp"]
    patch = {"metadata": {"finalizers": None}}
    await registry.patch(kinds.POD, "p", "default", patch)
    with pytest.raises(NotFound):
        await registry.get(kinds.POD, "p", "default")
