"""``pods/NAME/ephemeralcontainers`` of every Client (KEP-277)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.api import kinds
from reconciler.api.client import PatchType
from reconciler.errors import BadRequest, Forbidden, Invalid

if TYPE_CHECKING:
    from reconciler.api.client import Client
    from reconciler.api.objects import Object


def pod() -> Object:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    }  # fmt: skip


async def look(client: Client, *containers: Object) -> Object:
    return await client.patch(
        kinds.POD, "p", "default", {"spec": {"ephemeralContainers": list(containers)}},
        type=PatchType.STRATEGIC, subresource="ephemeralcontainers",
    )  # fmt: skip


async def test_ephemeral_containers_are_added_to_a_pod_and_nothing_else_is(client: Client) -> None:
    """KEP-277: there they stay as they are; the Pod's own paths neither add nor take them away."""
    made = await client.create(pod())
    main = made["spec"]["containers"][0]["name"]
    one = {"name": "look", "image": "busybox", "targetContainerName": main}
    added = await look(client, one)
    assert added["spec"]["ephemeralContainers"][0] == one | {
        "imagePullPolicy": "Always", "resources": {}, "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }  # fmt: skip
    assert added["metadata"]["generation"] == made["metadata"]["generation"] + 1
    two = {"name": "again", "image": "busybox", "env": [{"name": "A", "value": "b"}]}
    both = await look(client, two)
    assert {c["name"] for c in both["spec"]["ephemeralContainers"]} == {"look", "again"}
    changed = {
        **both,
        "spec": {**both["spec"], "priority": 7},
        "metadata": {**both["metadata"], "labels": {"a": "b"}},
    }
    same = await client.update(changed, subresource="ephemeralcontainers")
    assert (same["spec"].get("priority"), same["metadata"].get("labels")) == (
        both["spec"].get("priority"),
        both["metadata"].get("labels"),
    )
    for spec in (
        {**both["spec"], "ephemeralContainers": []},
        {k: v for k, v in both["spec"].items() if k != "ephemeralContainers"},
    ):
        with pytest.raises(Invalid, match="may not be removed"):
            await client.update({**both, "spec": spec}, subresource="ephemeralcontainers")
        with pytest.raises(Invalid, match="pod updates may not change fields other than"):
            await client.update({**both, "spec": spec})
    with pytest.raises(Invalid, match='existing ephemeral containers "look" may not be changed'):
        await look(client, {"name": "look", "image": "alpine"})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"image": ""}, r"ephemeralContainers\[0\].image: Required value"),
        ({"name": "c"}, r"ephemeralContainers\[0\].name: Duplicate value"),
        ({"targetContainerName": "x"}, r"ephemeralContainers\[0\].targetContainerName: Not found"),
        ({"ports": [{"containerPort": 80}]}, r"\[0\].ports: Forbidden: cannot be set for an Ephemeral Container"),
        ({"resources": {"limits": {"cpu": "1"}}}, r"\[0\].resources: Forbidden: cannot be set"),
        ({"livenessProbe": {"exec": {"command": ["true"]}}}, r"\[0\].livenessProbe: Forbidden: cannot be set"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "s"}]}, r"volumeMounts\[0\].subPath: Forbidden"),
        ({"volumeMounts": [{"name": "none", "mountPath": "/v"}]}, r"volumeMounts\[0\].name: Not found"),
    ],
)  # fmt: skip
async def test_ephemeral_containers_that_are_refused(
    client: Client, wrong: Object, told: str
) -> None:
    made = pod()
    made["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    made["spec"]["containers"][0]["name"] = "c"
    await client.create(made)
    with pytest.raises(Invalid, match=told):
        await look(client, {"name": "look", "image": "busybox"} | wrong)
    with pytest.raises(BadRequest):
        await client.update(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}},
            subresource="ephemeralcontainers",
        )


async def test_an_ephemeral_container_may_do_what_the_pods_of_its_namespace_may(
    client: Client,
) -> None:
    level = {"pod-security.kubernetes.io/enforce": "baseline"}
    await client.patch(kinds.NAMESPACE, "default", "", {"metadata": {"labels": level}})
    await client.create(pod())
    with pytest.raises(Forbidden, match="violates PodSecurity"):
        await look(
            client,
            {"name": "look", "image": "busybox", "securityContext": {"privileged": True}},
        )
    await look(client, {"name": "look", "image": "busybox"})
