"""HttpClient: the Client protocol over a unix socket that speaks the Kubernetes REST paths."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import aiohttp

from reconciler import errors
from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, EventType, ObjectList, PatchType, WatchEvent
from reconciler.api.requests import PlanRequest
from reconciler.client.command import RemoteCommand

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from reconciler.api.kinds import Kind
    from reconciler.api.node import LogOptions
    from reconciler.api.objects import Object


class HttpClient:
    """A Client; use it as an async context manager. Raises ``errors.Unavailable`` where nobody answers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> Self:
        # sun_path holds 108 bytes: a longer path is reached through its opened directory.
        try:
            self._folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            raise errors.Unavailable(f"{self._path}: {error.strerror}") from error
        self._http = aiohttp.ClientSession(
            "http://localhost",
            connector=aiohttp.UnixConnector(f"/proc/self/fd/{self._folder}/{self._path.name}"),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=64 * 1024 * 1024,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        os.close(self._folder)

    async def details(self) -> dict[str, Any]:
        """Return what the daemon says of itself."""
        found: dict[str, Any] = await self._call("GET", "/reconciler/status")
        return found

    async def plan(
        self,
        application: str,
        asked: PlanRequest = PlanRequest(),  # noqa: B008 - immutable
    ) -> dict[str, Any]:
        """Return what a sync of an Application would do now (kind ``Plan``). Raises ``NotFound``, ``Invalid``."""
        path = f"/reconciler/applications/{quote(application, safe='')}/plan"
        found: dict[str, Any] = await self._call("GET", path, query=asked.to_query())
        return found

    async def usage(
        self, what: str, namespace: str | None = None, labels: str = ""
    ) -> list[Object]:
        """Return the NodeMetrics or PodMetrics (``nodes``, ``pods``) that were measured last."""
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        query = {"labelSelector": labels} if labels else {}
        found = await self._call("GET", f"/apis/metrics.k8s.io/v1beta1{scope}/{what}", query=query)
        items: list[Object] = found["items"]
        return items

    async def stop_serving(self) -> None:
        """End the daemon's proxy: Services and Ingress are not served any more, nothing that ends is waited for."""
        await self._call("POST", "/reconciler/stop-serving")

    async def shutdown(self) -> None:
        """Ask the daemon to end."""
        await self._call("POST", "/reconciler/shutdown")

    async def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions
    ) -> AsyncGenerator[bytes, None]:
        """Yield a container's log as it comes; ``options.since`` counts back from now, in seconds."""
        query = {"container": container}
        for name, value in (("follow", options.follow), ("previous", options.previous),
                            ("timestamps", options.timestamps)):  # fmt: skip
            query |= {name: "true"} if value else {}
        for name, number in (("tailLines", options.tail), ("limitBytes", options.limit_bytes),
                             ("sinceSeconds", options.since)):  # fmt: skip
            query |= {name: str(int(number))} if number is not None else {}
        try:
            async with self._http.get(
                _url(kinds.POD, namespace, pod, "log"), params=query
            ) as answer:
                if answer.status >= 400:
                    raise await _failure(answer)
                async for piece in answer.content.iter_any():
                    yield piece
        except aiohttp.ClientError as error:
            raise _unavailable(error) from error

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool = False,
        tty: bool = False,
    ) -> RemoteCommand:
        """Start a command in a container. Raises ``ApiError`` when that is refused."""
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("stdin", "true")] if stdin else []
        query += [("tty", "true")] if tty else []
        query += [("command", c) for c in command]
        url = _url(kinds.POD, namespace, pod, "exec")
        try:
            socket = await self._http.ws_connect(
                url, params=query, protocols=("v5.channel.k8s.io",)
            )
        except aiohttp.WSServerHandshakeError as error:
            async with self._http.get(url, params=query) as answer:
                raise await _failure(answer) from error
        except aiohttp.ClientError as error:
            raise _unavailable(error) from error
        return RemoteCommand(socket)

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        found: Object = await self._call("GET", _url(kind, namespace, name))
        return found

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> ObjectList:
        query = {"labelSelector": labels, "fieldSelector": fields, "continue": continue_token}
        query["limit"] = str(limit)
        found = await self._call("GET", _url(kind, namespace), query)
        meta = found["metadata"]
        return ObjectList(
            found["items"],
            meta["resourceVersion"],
            meta.get("continue", ""),
            meta.get("remainingItemCount"),
        )

    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        since: str,
        labels: str = "",
        fields: str = "",
        bookmarks: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        query = {"watch": "true", "resourceVersion": since, "labelSelector": labels}
        query |= {"fieldSelector": fields, "allowWatchBookmarks": str(bookmarks).lower()}
        try:
            async with self._http.get(_url(kind, namespace), params=query) as answer:
                if answer.status >= 400:
                    raise await _failure(answer)
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise errors.from_status(event["object"])
                    yield WatchEvent(EventType(event["type"]), event["object"])
        except aiohttp.ClientError as error:
            raise _unavailable(error) from error

    async def create(
        self, obj: Object, *, field_manager: str = "", dry_run: bool = False
    ) -> Object:
        url = _url(kinds.kind_of(obj), obj["metadata"].get("namespace", ""))
        made: Object = await self._call("POST", url, _query(field_manager, dry_run), obj)
        return made

    async def update(
        self, obj: Object, *, subresource: str = "", field_manager: str = "", dry_run: bool = False
    ) -> Object:
        query = _query(field_manager, dry_run)
        done: Object = await self._call("PUT", _of(obj, subresource), query, obj)
        return done

    async def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        patch: Any,
        *,
        type: PatchType = PatchType.MERGE,  # noqa: A002 - the API's own word
        subresource: str = "",
        field_manager: str = "",
        dry_run: bool = False,
    ) -> Object:
        url = _url(kind, namespace, name, subresource)
        query = _query(field_manager, dry_run)
        if subresource == "binding":
            await self._call("POST", url, query, _binding(name, patch))
            return await self.get(kind, name, namespace)
        done: Object = await self._call("PATCH", url, query, patch, type)
        return done

    async def apply(
        self,
        obj: Object,
        *,
        field_manager: str,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        query = _query(field_manager, dry_run) | {"force": str(force).lower()}
        url = _of(obj, subresource)
        done: Object = await self._call("PATCH", url, query, obj, PatchType.APPLY)
        return done

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        options: DeleteOptions = DeleteOptions(),  # noqa: B008 - immutable
    ) -> Object:
        body: dict[str, Any] = {"dryRun": ["All"]} if options.dry_run else {}
        if options.grace_seconds is not None:
            body["gracePeriodSeconds"] = options.grace_seconds
        if options.propagation:
            body["propagationPolicy"] = options.propagation
        body["preconditions"] = {"uid": options.uid, "resourceVersion": options.resource_version}
        gone: Object = await self._call("DELETE", _url(kind, namespace, name), None, body)
        return gone

    async def _call(
        self,
        method: str,
        url: str,
        query: dict[str, str] | None = None,
        body: Any = None,
        media: str = "application/json",
    ) -> Any:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": media} if data else None
        try:
            async with self._http.request(
                method, url, params=query, data=data, headers=headers
            ) as answer:
                if answer.status >= 400:
                    raise await _failure(answer)
                return await answer.json()
        except aiohttp.ClientError as error:
            raise _unavailable(error) from error


async def _failure(answer: aiohttp.ClientResponse) -> errors.ApiError:
    """Return the error that an answer tells."""
    try:
        status = await answer.json()
    except (aiohttp.ClientError, ValueError):
        status = {"message": f"the API server answered {answer.status}", "code": answer.status}
    return errors.from_status(status)


def _unavailable(error: Exception) -> errors.Unavailable:
    return errors.Unavailable(f"the API server does not answer: {error}")


def _binding(name: str, patch: Object) -> Object:
    """Return the object that is posted to assign a Pod to a node."""
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {**(patch.get("metadata") or {}), "name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": patch["spec"]["nodeName"]},
    }


def _query(manager: str, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})


def _of(obj: Object, sub: str) -> str:
    meta = obj["metadata"]
    return _url(kinds.kind_of(obj), meta.get("namespace", ""), meta["name"], sub)


def _url(kind: Kind, namespace: str, *rest: str) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = ("namespaces", namespace) if namespace and kind.namespaced else ()
    return "/".join((root, *scope, kind.plural, *filter(None, rest)))
