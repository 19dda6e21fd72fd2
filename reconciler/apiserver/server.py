"""Kubernetes REST paths over a Client: get, list, watch, create, update, patch, apply, delete."""

from __future__ import annotations

import json
import os
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from reconciler import errors
from reconciler.api import kinds
from reconciler.api.client import Client, DeleteOptions, PatchType, Propagation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from reconciler.api.kinds import Kind

_LIMIT = 3 * 1024 * 1024


class ApiServer:
    """Answers requests from peers of this process's own uid (or root) on a unix socket."""

    def __init__(
        self, client: Client, *, version: str, details: Callable[[], dict[str, Any]]
    ) -> None:
        self._client = client
        self._version = version
        self._details = details

    @asynccontextmanager
    async def serve_unix(self, path: Path) -> AsyncGenerator[None, None]:
        """Serve on ``path`` (0600) while the context lasts; the caller holds the state dir's lock."""
        app = web.Application(client_max_size=_LIMIT, middlewares=[_guard])
        for where in ("/healthz", "/readyz", "/livez"):
            app.router.add_get(where, self._ok)
        app.router.add_get("/version", self._show_version)
        app.router.add_get("/reconciler/status", self._show_details)
        for root in ("/api/{version}", "/apis/{group}/{version}"):
            for scope in ("", "/namespaces/{namespace}"):
                for tail in ("/{plural}", "/{plural}/{name}", "/{plural}/{name}/{sub:status}"):
                    app.router.add_route("*", root + scope + tail, self._resource)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        listener = _bind(path)
        try:
            await web.SockSite(runner, listener).start()
            yield
        finally:
            await runner.cleanup()
            _remove(path)

    async def _ok(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _show_version(self, _: web.Request) -> web.Response:
        return web.json_response({"gitVersion": self._version})

    async def _show_details(self, _: web.Request) -> web.Response:
        return web.json_response(self._details())

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        at = request.match_info
        kind = kinds.by_resource(at.get("group", ""), at["plural"])
        if kind is None or kind.version != at["version"]:
            raise errors.NotFound("the server could not find the requested resource")
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
                    await _body(request, kind, namespace, name),
                    field_manager=manager,
                    dry_run=dry_run,
                )
                return web.json_response(made, status=201)
            case "PUT", True:
                obj = await _body(request, kind, namespace, name)
                return web.json_response(
                    await client.update(
                        obj, subresource=sub, field_manager=manager, dry_run=dry_run
                    )
                )
            case "PATCH", True:
                try:
                    type_ = PatchType(request.content_type)
                except ValueError:
                    raise errors.UnsupportedMediaType(
                        f"{request.content_type} is not a patch format"
                    ) from None
                if type_ is PatchType.APPLY:
                    obj = await _body(request, kind, namespace, name)
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
                        await _json(request),
                        type=type_,
                        subresource=sub,
                        field_manager=manager,
                        dry_run=dry_run,
                    )
                )
            case "DELETE", True if not sub:
                gone = await client.delete(kind, name, namespace, await _delete_options(request))
                return web.json_response(gone)
        raise errors.MethodNotAllowed("the server does not allow this method on the resource")

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


@web.middleware
async def _guard(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        sock = request.transport.get_extra_info("socket") if request.transport else None
        if sock is None:
            raise errors.Unauthorized("the peer is gone")
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        if struct.unpack("3i", raw)[1] not in (0, os.getuid()):
            raise errors.Forbidden("this socket serves its owner only")
        answer: web.StreamResponse = await handler(request)
    except errors.ApiError as error:
        return web.json_response(error.status(), status=error.code)
    except web.HTTPRequestEntityTooLarge:
        large = errors.TooLarge("the request is larger than 3 MiB")
        return web.json_response(large.status(), status=413)
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


def _number(text: str, field: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise errors.BadRequest(f"{field}: expected a whole number")
    return int(text)


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        raise errors.BadRequest("the body is not JSON") from None


async def _body(request: web.Request, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
    obj = await _json(request)
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
        raise errors.BadRequest("the body is not an object with metadata")
    meta = obj["metadata"]
    if (obj.get("apiVersion"), obj.get("kind")) != (kind.api_version, kind.kind):
        raise errors.BadRequest("apiVersion and kind do not match the path")
    for field, want in (("namespace", namespace), ("name", name)):
        if want and meta.setdefault(field, want) != want:
            raise errors.BadRequest(f"metadata.{field} does not match the path's {want!r}")
    return obj


async def _delete_options(request: web.Request) -> DeleteOptions:
    body = await _json(request) if request.can_read_body else {}
    if not isinstance(body, dict):
        raise errors.BadRequest("DeleteOptions must be an object")
    grace = body.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))
    policy = body.get("propagationPolicy", request.query.get("propagationPolicy"))
    before = body.get("preconditions") or {}
    try:
        propagation = Propagation(policy) if policy else None
    except ValueError:
        raise errors.BadRequest("propagationPolicy: unknown value") from None
    return DeleteOptions(
        grace_seconds=None if grace is None else _number(str(grace), "gracePeriodSeconds"),
        propagation=propagation,
        uid=str(before.get("uid", "")),
        resource_version=str(before.get("resourceVersion", "")),
        dry_run="All" in (body.get("dryRun") or ()) or request.query.get("dryRun") == "All",
    )
