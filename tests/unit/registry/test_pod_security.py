"""Pod Security admission: which Pods a namespace takes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api.pod_security import ENFORCE
from reconciler.clock import SeededEntropy, SystemClock
from reconciler.errors import Forbidden
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.api.client import Client


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(where: str, **context: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "app", "securityContext": context}
    meta = {"name": "web", "namespace": where}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [container]},
    }


async def test_a_namespace_refuses_what_its_level_does_not_allow(registry: Client) -> None:
    await registry.create(namespace("shop", **{ENFORCE: "baseline"}))
    await registry.create(namespace("free"))
    with pytest.raises(Forbidden) as caught:
        await registry.create(pod("shop", privileged=True))
    assert str(caught.value) == (
        'pods "web" is forbidden: violates PodSecurity "baseline:latest": privileged '
        '(container "main" must not set securityContext.privileged=true)'
    )
    await registry.create(pod("shop"))
    await registry.create(pod("free", privileged=True))


async def test_a_pod_that_was_there_before_the_label_keeps_its_place_but_gets_no_new_containers(
    registry: Client,
) -> None:
    made = await registry.create(namespace("shop"))
    running = await registry.create(pod("shop", privileged=True))
    await registry.update(
        {**made, "metadata": {**made["metadata"], "labels": {ENFORCE: "baseline"}}}
    )
    labelled = {**running, "metadata": {**running["metadata"], "labels": {"a": "b"}}}
    running = await registry.update(labelled)
    running = await registry.update(
        {**running, "status": {**running["status"], "phase": "Running"}}, subresource="status"
    )
    containers = [{**running["spec"]["containers"][0], "image": "app:2"}]
    with pytest.raises(Forbidden, match="set securityContext"):
        await registry.update({**running, "spec": {**running["spec"], "containers": containers}})


@pytest.fixture
async def strict() -> AsyncIterator[Registry]:
    made = Registry(
        MemoryStore(),
        clock=SystemClock(),
        entropy=SeededEntropy(1),
        pod_security_level="restricted",
    )
    await made.start()
    await made.create(namespace("plain"))
    await made.create(namespace("free", **{ENFORCE: "privileged"}))
    yield made
    await made.close()


async def test_the_daemons_level_counts_where_a_namespace_names_none(strict: Registry) -> None:
    with pytest.raises(Forbidden, match='violates PodSecurity "restricted:latest"'):
        await strict.create(pod("plain"))
    await strict.create(pod("free", privileged=True))
