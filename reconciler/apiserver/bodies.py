"""What requests carry in their bodies and queries: objects, patch formats, DeleteOptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler import errors
from reconciler.api.client import DeleteOptions, PatchType, Propagation
from reconciler.apiserver.pods import number

if TYPE_CHECKING:
    from aiohttp import web

    from reconciler.api.kinds import Kind


async def json_body(request: web.Request) -> Any:
    """Return the request's body; BadRequest where it is not JSON."""
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        raise errors.BadRequest("the body is not JSON") from None


async def object_body(
    request: web.Request, kind: Kind, namespace: str, name: str
) -> dict[str, Any]:
    """Return the body as an object of ``kind`` whose names are those of the path; BadRequest where it is not."""
    obj = await json_body(request)
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
        raise errors.BadRequest("the body is not an object with metadata")
    meta = obj["metadata"]
    if (obj.get("apiVersion"), obj.get("kind")) != (kind.api_version, kind.kind):
        raise errors.BadRequest("apiVersion and kind do not match the path")
    for field, want in (("namespace", namespace), ("name", name)):
        if want and meta.setdefault(field, want) != want:
            raise errors.BadRequest(f"metadata.{field} does not match the path's {want!r}")
    return obj


def patch_type(request: web.Request) -> PatchType:
    """Return the patch format the content type names; UnsupportedMediaType for any other."""
    try:
        return PatchType(request.content_type)
    except ValueError:
        raise errors.UnsupportedMediaType(f"{request.content_type} is not a patch format") from None


async def delete_options(request: web.Request) -> DeleteOptions:
    """Return DeleteOptions of the body, where there is one, and of the query."""
    return delete_options_of(await json_body(request) if request.can_read_body else {}, request)


def delete_options_of(body: Any, request: web.Request) -> DeleteOptions:
    """Return DeleteOptions of ``body``, the query filling in what it lacks; BadRequest for a value that is none."""
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
        grace_seconds=None if grace is None else number(str(grace), "gracePeriodSeconds"),
        propagation=propagation,
        uid=str(before.get("uid", "")),
        resource_version=str(before.get("resourceVersion", "")),
        dry_run="All" in (body.get("dryRun") or ()) or request.query.get("dryRun") == "All",
    )
