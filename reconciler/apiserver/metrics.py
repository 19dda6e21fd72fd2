"""metrics.k8s.io: what nodes and Pods use now, as ``kubectl top`` and autoscalers ask for it. Nothing of it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from reconciler import errors
from reconciler.api import kinds
from reconciler.api.objects import uid_of
from reconciler.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.client import Client
    from reconciler.api.metrics import Usage, UsageSource
    from reconciler.api.objects import Object

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
_ROOT = f"/apis/{GROUP}/{VERSION}"
_VERBS = ["get", "list"]


class MetricsHandlers:
    """Answers from a source's memory."""

    def __init__(self, client: Client, source: UsageSource) -> None:
        self._client = client
        self._source = source

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(_ROOT, self._resources)
        app.router.add_get(f"{_ROOT}/nodes", self._nodes)
        app.router.add_get(f"{_ROOT}/nodes/{{name}}", self._node)
        app.router.add_get(f"{_ROOT}/pods", self._pods)
        app.router.add_get(f"{_ROOT}/namespaces/{{namespace}}/pods", self._pods)
        app.router.add_get(f"{_ROOT}/namespaces/{{namespace}}/pods/{{name}}", self._pod)

    async def _resources(self, _: web.Request) -> web.Response:
        named = (("nodes", "NodeMetrics", False), ("pods", "PodMetrics", True))
        return web.json_response({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}",
            "resources": [
                {"name": plural, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": _VERBS}
                for plural, kind, namespaced in named
            ],
        })  # fmt: skip

    async def _nodes(self, request: web.Request) -> web.Response:
        labels = request.query.get("labelSelector", "")
        found = (await self._client.list(kinds.NODE, labels=labels)).items
        return _listed("NodeMetrics", map(self._of_node, found))

    async def _node(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return _single(self._of_node(await self._client.get(kinds.NODE, name)), "nodes", name)

    async def _pods(self, request: web.Request) -> web.Response:
        labels = request.query.get("labelSelector", "")
        namespace = request.match_info.get("namespace", "")
        found = (await self._client.list(kinds.POD, namespace, labels=labels)).items
        return _listed("PodMetrics", map(self._of_pod, found))

    async def _pod(self, request: web.Request) -> web.Response:
        at = request.match_info
        pod = await self._client.get(kinds.POD, at["name"], at["namespace"])
        return _single(self._of_pod(pod), "pods", f"{at['namespace']}/{at['name']}")

    def _of_node(self, node: Object) -> Object | None:
        measured = self._source.node(node["metadata"]["name"])
        if measured is None:
            return None
        return _metrics("NodeMetrics", node, measured.at, measured.window) | {
            "usage": _quantities(measured.usage)
        }

    def _of_pod(self, pod: Object) -> Object | None:
        measured = self._source.usage(uid_of(pod))
        if measured is None:
            return None
        containers = [
            {"name": name, "usage": _quantities(usage)}
            for name, usage in sorted(measured.containers.items())
        ]
        found = _metrics("PodMetrics", pod, measured.at, measured.window)
        return found | {"containers": containers}


def _metrics(kind: str, of: Object, at: float, window: float) -> Object:
    meta = {k: of["metadata"][k] for k in ("name", "namespace", "labels") if k in of["metadata"]}
    return {
        "kind": kind, "apiVersion": f"{GROUP}/{VERSION}", "metadata": meta,
        "timestamp": rfc3339(at), "window": f"{window:.3f}s",
    }  # fmt: skip


def _quantities(usage: Usage) -> dict[str, str]:
    return {"cpu": f"{usage.cpu * 1e6:.0f}n", "memory": f"{usage.memory // 1024}Ki"}


def _listed(kind: str, found: Iterable[Object | None]) -> web.Response:
    items = [metrics for metrics in found if metrics is not None]
    return web.json_response(
        {"kind": f"{kind}List", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": items}
    )


def _single(found: Object | None, plural: str, name: str) -> web.Response:
    if found is None:
        raise errors.NotFound(f'{plural}.{GROUP} "{name}" not found: it has not been measured yet')
    return web.json_response(found)
