"""Discovery: which groups, versions and resources there are (``/api``, ``/apis``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from reconciler import errors
from reconciler.api import kinds, tokens

if TYPE_CHECKING:
    from reconciler.api.kinds import Kind

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


#: The groups of those who answer for themselves, and not from the table of kinds: (group, version).
OTHERS = web.AppKey("others", tuple[tuple[str, str], ...])


def add_routes(app: web.Application, *others: tuple[str, str]) -> None:
    """Add the discovery paths; ``others`` are groups (with their version) of which others tell the resources."""
    app[OTHERS] = others
    app.router.add_get("/api", _core)
    app.router.add_get("/apis", _groups)
    app.router.add_get("/api/{version}", _resources)
    app.router.add_get("/apis/{group}/{version}", _resources)


async def _core(_: web.Request) -> web.Response:
    return web.json_response({"kind": "APIVersions", "versions": ["v1"]})


async def _groups(request: web.Request) -> web.Response:
    groups = sorted({*((k.group, k.version) for k in kinds.KINDS if k.group), *request.app[OTHERS]})
    found = []
    for group, version in groups:
        entry = {"groupVersion": f"{group}/{version}", "version": version}
        found.append({"name": group, "versions": [entry], "preferredVersion": entry})
    return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": found})


async def _resources(request: web.Request) -> web.Response:
    group, version = request.match_info.get("group", ""), request.match_info["version"]
    here = [k for k in kinds.KINDS if (k.group, k.version) == (group, version)]
    if not here:
        raise errors.NotFound("the server could not find the requested resource")
    return web.json_response(
        {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [entry for kind in here for entry in _entries(kind)],
        }
    )


def _entries(kind: Kind) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _VERBS,
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    found = [entry]
    if kind.status:
        status = {
            "name": f"{kind.plural}/status",
            "singularName": "",
            "namespaced": kind.namespaced,
        }
        found.append({**status, "kind": kind.kind, "verbs": ["get", "patch", "update"]})
    if kind.scale:
        found.append(
            {
                **_subresource(kind, "scale"),
                "group": "autoscaling", "version": "v1", "kind": "Scale",
                "verbs": ["get", "patch", "update"],
            }
        )  # fmt: skip
    if kind is kinds.POD:
        found.append(
            {
                **_subresource(kind, "ephemeralcontainers"),
                "kind": "Pod", "verbs": ["get", "patch", "update"],
            }
        )  # fmt: skip
        found.append(
            {
                **_subresource(kind, "eviction"),
                "group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"],
            }
        )  # fmt: skip
    if kind is kinds.SERVICE_ACCOUNT:
        found.append(
            {
                **_subresource(kind, "token"),
                "group": tokens.GROUP, "version": tokens.VERSION, "kind": "TokenRequest", "verbs": ["create"],
            }
        )  # fmt: skip
    return found


def _subresource(kind: Kind, name: str) -> dict[str, Any]:
    return {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced}
