"""Kubernetes REST paths over a Client: get, list, watch, create, update, patch, apply, delete."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from reconciler import errors
from reconciler.api import kinds
from reconciler.api.client import Client, PatchType
from reconciler.api.objects import GroupVersionKind
from reconciler.api.requests import PlanRequest
from reconciler.api.tokens import GROUP as TOKEN_GROUP
from reconciler.api.tokens import VERSION as TOKEN_VERSION
from reconciler.apiserver import bodies, discovery, metrics, scale
from reconciler.apiserver.eviction import evict_pod
from reconciler.apiserver.metrics import MetricsHandlers
from reconciler.apiserver.pods import PodHandlers
from reconciler.apiserver.pods import number as _number
from reconciler.apiserver.tokens import TokenHandlers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from reconciler.api.kinds import Kind
    from reconciler.api.metrics import UsageSource
    from reconciler.api.node import NodeAgent
    from reconciler.api.tokens import TokenAuthority
    from reconciler.apiserver.observing import Observing
    from reconciler.clock import Clock

log = structlog.get_logger(__name__)

_LIMIT = 3 * 1024 * 1024


class ApiServer:
    """Answers requests from peers of this process's own uid (or root) on a unix socket."""

    def __init__(
        self,
        client: Client,
        *,
        version: str,
        clock: Clock,
        details: Callable[[], dict[str, Any]],
        agent: NodeAgent | None = None,
        shutdown: Callable[[], None] | None = None,
        observing: Observing | None = None,
        plan: Callable[[str, PlanRequest], Awaitable[dict[str, Any]]] | None = None,
        stop_serving: Callable[[], Awaitable[None]] | None = None,
        usage: UsageSource | None = None,
        tokens: TokenAuthority | None = None,
    ) -> None:
        self._client = client
        self._version = version
        self._details = details
        self._shutdown = shutdown
        self._observing = observing
        self._plan = plan
        self._clock = clock
        self._stop_serving = stop_serving
        self._metrics = MetricsHandlers(client, usage) if usage is not None else None
        self._tokens = TokenHandlers(tokens) if tokens is not None else None
        self._pods = PodHandlers(agent, clock) if agent is not None else None
        self.ready = asyncio.Event()

    async def serve_unix(self, path: Path) -> None:
        """Serve on ``path`` (0600) until cancelled; the caller holds the state directory's lock."""
        async with self.serving(path):
            self.ready.set()
            await asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def serving(self, path: Path) -> AsyncGenerator[None, None]:
        """Serve on ``path`` (0600) while the context lasts."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        listener = _bind(path)
        try:
            await web.SockSite(runner, listener).start()
            yield
        finally:
            _remove(path)
            await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_LIMIT, middlewares=[_guard])
        if self._observing is not None:
            self._observing.add_routes(app)
        app.router.add_get("/version", self._show_version)
        app.router.add_get("/reconciler/status", self._show_details)
        app.router.add_get("/reconciler/applications/{name}/plan", self._show_plan)
        app.router.add_post("/reconciler/stop-serving", self._end_serving)
        app.router.add_post("/reconciler/shutdown", self._shut_down)
        others: list[tuple[str, str]] = []
        if self._metrics is not None:
            self._metrics.add_routes(app)
            others.append((metrics.GROUP, metrics.VERSION))
        if self._tokens is not None:
            self._tokens.add_routes(app)
            others.append((TOKEN_GROUP, TOKEN_VERSION))
        discovery.add_routes(app, *others)
        if self._pods is not None:
            pod = "/api/v1/namespaces/{namespace}/pods/{name}"
            app.router.add_get(f"{pod}/log", self._pods.log)
            app.router.add_get(f"{pod}/exec", self._pods.exec)
        added = "/api/{version:v1}/namespaces/{namespace}/{plural:pods}/{name}/{sub:ephemeralcontainers}"
        app.router.add_route("*", added, self._resource)
        app.router.add_post("/api/v1/namespaces/{namespace}/pods/{name}/binding", self._bind)
        app.router.add_post("/api/v1/namespaces/{namespace}/pods/{name}/eviction", self._evict)
        app.router.add_route(
            "*", "/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}/scale", self._scale
        )
        for root in ("/api/{version}", "/apis/{group}/{version}"):
            for scope in ("", "/namespaces/{namespace}"):
                for tail in (
                    "/{plural}",
                    "/{plural}/{name}",
                    "/{plural}/{name}/{sub:status}",
                ):
                    app.router.add_route("*", root + scope + tail, self._resource)
        return app

    async def _show_version(self, _: web.Request) -> web.Response:
        return web.json_response({"gitVersion": self._version})

    async def _show_details(self, _: web.Request) -> web.Response:
        return web.json_response(self._details())

    async def _show_plan(self, request: web.Request) -> web.Response:
        if self._plan is None:
            raise errors.MethodNotAllowed("this server plans no Applications")
        asked = PlanRequest.from_query(request.query)
        return web.json_response(await self._plan(request.match_info["name"], asked))

    async def _end_serving(self, _: web.Request) -> web.Response:
        if self._stop_serving is not None:
            await self._stop_serving()
        return web.json_response({})

    async def _shut_down(self, _: web.Request) -> web.Response:
        if self._shutdown is None:
            raise errors.MethodNotAllowed("this server cannot be shut down from here")
        self._shutdown()
        return web.json_response({})

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        at = request.match_info
        kind = await self._kind(at.get("group", ""), at["version"], at["plural"])
        namespace, name, sub = at.get("namespace", ""), at.get("name", ""), at.get("sub", "")
        query, client = request.query, self._client
        manager, dry_run = query.get("fieldManager", ""), query.get("dryRun") == "All"
        match request.method, bool(name):
            case "GET", True:
                return web.json_response(await client.get(kind, name, namespace))
            case "GET", False if query.get("watch") in ("1", "true"):
                return await self._watch(request, kind, namespace)
            case "GET", False:
                return await self._list(request, kind, namespace)
            case "POST", False:
                made = await client.create(
                    await bodies.object_body(request, kind, namespace, name),
                    field_manager=manager,
                    dry_run=dry_run,
                )
                return web.json_response(made, status=201)
            case "PUT", True:
                obj = await bodies.object_body(request, kind, namespace, name)
                return web.json_response(
                    await client.update(
                        obj, subresource=sub, field_manager=manager, dry_run=dry_run
                    )
                )
            case "PATCH", True:
                type_ = bodies.patch_type(request)
                if type_ is PatchType.APPLY:
                    obj = await bodies.object_body(request, kind, namespace, name)
                    return web.json_response(
                        await client.apply(
                            obj,
                            field_manager=manager,
                            force=query.get("force") == "true",
                            subresource=sub,
                            dry_run=dry_run,
                        )
                    )
                return web.json_response(
                    await client.patch(
                        kind,
                        name,
                        namespace,
                        await bodies.json_body(request),
                        type=type_,
                        subresource=sub,
                        field_manager=manager,
                        dry_run=dry_run,
                    )
                )
            case "DELETE", True if not sub:
                gone = await client.delete(
                    kind, name, namespace, await bodies.delete_options(request)
                )
                return web.json_response(gone)
        raise errors.MethodNotAllowed("the server does not allow this method on the resource")

    async def _evict(self, request: web.Request) -> web.Response:
        """Delete a Pod if the budgets that cover it allow that."""
        at = request.match_info
        body = await bodies.json_body(request)
        if not isinstance(body, dict) or body.get("kind") not in (None, "Eviction"):
            raise errors.BadRequest("the body is not an Eviction")
        options = bodies.delete_options_of(body.get("deleteOptions") or {}, request)
        await evict_pod(self._client, self._clock, at["name"], at["namespace"], options)
        done = {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success"}
        return web.json_response({**done, "code": 201}, status=201)

    async def _scale(self, request: web.Request) -> web.Response:
        """Show or set the size of a workload."""
        at, query = request.match_info, request.query
        kind = await self._kind(at["group"], at["version"], at["plural"])
        if not kind.scale:
            raise errors.NotFound("the server could not find the requested resource")
        obj = await self._client.get(kind, at["name"], at["namespace"])
        match request.method:
            case "GET":
                return web.json_response(scale.scale_of(obj))
            case "PUT":
                wanted = await bodies.json_body(request)
            case "PATCH":
                wanted = scale.patched(
                    scale.scale_of(obj), await bodies.json_body(request), bodies.patch_type(request)
                )
            case _:
                raise errors.MethodNotAllowed("the server does not allow this method on a scale")
        done = await self._client.patch(
            kind, at["name"], at["namespace"], scale.as_patch(kind, wanted),
            field_manager=query.get("fieldManager", ""), dry_run=query.get("dryRun") == "All",
        )  # fmt: skip
        return web.json_response(scale.scale_of(done))

    async def _bind(self, request: web.Request) -> web.Response:
        """Assign a Pod to the node that a Binding names."""
        at, query = request.match_info, request.query
        binding = await bodies.json_body(request)
        fields = binding if isinstance(binding, dict) else {}
        node = (fields.get("target") or {}).get("name")
        if not node:
            raise errors.BadRequest("a Binding names its node in target.name")
        patch: dict[str, Any] = {"spec": {"nodeName": node}}
        if uid := (fields.get("metadata") or {}).get("uid"):
            patch["metadata"] = {"uid": uid}
        await self._client.patch(
            kinds.POD, at["name"], at["namespace"], patch, subresource="binding",
            field_manager=query.get("fieldManager", ""), dry_run=query.get("dryRun") == "All",
        )  # fmt: skip
        done = {"apiVersion": "v1", "kind": "Status", "status": "Success", "code": 201}
        return web.json_response(done, status=201)

    async def _kind(self, group: str, version: str, plural: str) -> Kind:
        """Return the kind that a path names: one of the table, or one that a stored CustomResourceDefinition defines."""
        kind = kinds.by_resource(group, plural)
        if kind is not None and kind.version == version:
            return kind
        definitions = kinds.by_resource("apiextensions.k8s.io", "customresourcedefinitions")
        if kind is None and definitions is not None:
            for found in (await self._client.list(definitions)).items:
                spec = found.get("spec") or {}
                names = spec.get("names") or {}
                if spec.get("group") == group and names.get("plural") == plural:
                    gvk = GroupVersionKind(group, version, names.get("kind", ""))
                    namespaced = spec.get("scope") != "Cluster"
                    return kinds.unknown(gvk, namespaced=namespaced)._replace(plural=plural)
        raise errors.NotFound("the server could not find the requested resource")

    async def _list(self, request: web.Request, kind: Kind, namespace: str) -> web.Response:
        query = request.query
        found = await self._client.list(
            kind,
            namespace,
            labels=query.get("labelSelector", ""),
            fields=query.get("fieldSelector", ""),
            limit=_number(query.get("limit", "0"), "limit"),
            continue_token=query.get("continue", ""),
        )
        meta: dict[str, Any] = {"resourceVersion": found.resource_version}
        if found.continue_token:
            meta["continue"] = found.continue_token
        if found.remaining is not None:
            meta["remainingItemCount"] = found.remaining
        return web.json_response(
            {
                "kind": kind.kind + "List",
                "apiVersion": kind.api_version,
                "metadata": meta,
                "items": found.items,
            }
        )

    async def _watch(self, request: web.Request, kind: Kind, namespace: str) -> web.StreamResponse:
        query = request.query
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            async for event in self._client.watch(
                kind,
                namespace,
                since=query.get("resourceVersion", ""),
                labels=query.get("labelSelector", ""),
                fields=query.get("fieldSelector", ""),
                bookmarks=query.get("allowWatchBookmarks") == "true",
            ):
                line = json.dumps({"type": event.type, "object": event.object})
                await response.write(line.encode() + b"\n")
        except errors.ApiError as error:
            line = json.dumps({"type": "ERROR", "object": error.status()})
            await response.write(line.encode() + b"\n")
        return response


def _check_peer(request: web.Request) -> None:
    """Refuse who is neither this user nor root, whatever the socket's mode allows."""
    sock = request.transport.get_extra_info("socket") if request.transport else None
    if sock is None:
        raise errors.Unauthorized("the peer is gone")
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    if struct.unpack("3i", raw)[1] not in (0, os.getuid()):
        raise errors.Forbidden("this socket serves its owner only")


@web.middleware
async def _guard(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        _check_peer(request)
        answer: web.StreamResponse = await handler(request)
    except errors.ApiError as error:
        return web.json_response(error.status(), status=error.code)
    except web.HTTPRequestEntityTooLarge:
        large = errors.TooLarge("the request is larger than 3 MiB")
        return web.json_response(large.status(), status=413)
    except web.HTTPException as error:
        missing = errors.NotFound("the server could not find the requested resource")
        return web.json_response(missing.status(), status=error.status)
    except asyncio.CancelledError:
        raise
    except ConnectionError:
        # Who asked has hung up, in the middle of a watch or a log: nobody hears this, and it is no error of ours.
        return web.Response(status=499)
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        broken = errors.ApiError("the server has an error; its log says which")
        return web.json_response(broken.status(), status=500)
    return answer


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _bind(path: Path) -> socket.socket:
    _remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # sun_path holds 108 bytes: a longer path is reached through its opened directory.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.umask(mask)
        os.close(folder)
    return listener
