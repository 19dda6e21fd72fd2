"""HttpClient: the Client protocol over a unix socket that speaks the Kubernetes REST paths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from reconciler import errors
from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, EventType, ObjectList, PatchType, WatchEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object


class HttpClient:
    """A Client; use it as an async context manager. Raises ``errors.Unavailable`` where nobody answers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            "http://localhost",
            connector=aiohttp.UnixConnector(str(self._path)),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=4 * 1024 * 1024,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def details(self) -> Any:
        return await self._call("GET", "/reconciler/status")

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
                    raise errors.from_status(await answer.json())
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise errors.from_status(event["object"])
                    yield WatchEvent(EventType(event["type"]), event["object"])
        except aiohttp.ClientError as error:
            raise errors.Unavailable(f"the API server does not answer: {error}") from error

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
        done: Object = await self._call("PATCH", url, _query(field_manager, dry_run), patch, type)
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
                found = await answer.json()
        except aiohttp.ClientError as error:
            raise errors.Unavailable(f"the API server does not answer: {error}") from error
        if answer.status >= 400:
            raise errors.from_status(found)
        return found


def _query(manager: str, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})


def _of(obj: Object, sub: str) -> str:
    meta = obj["metadata"]
    return _url(kinds.kind_of(obj), meta.get("namespace", ""), meta["name"], sub)


def _url(kind: Kind, namespace: str, *rest: str) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = ("namespaces", namespace) if namespace and kind.namespaced else ()
    return "/".join((root, *scope, kind.plural, *filter(None, rest)))
