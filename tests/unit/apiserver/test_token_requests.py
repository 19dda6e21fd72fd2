"""TokenRequest and TokenReview on a real socket, over the real registry."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from reconciler.apiserver.server import ApiServer
from reconciler.clock import SystemClock, SystemEntropy, parse_rfc3339
from reconciler.registry import Registry
from reconciler.registry.tokens import ISSUER, ServiceAccountTokens
from reconciler.registry.tokens.signing import new_key
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "/api/v1/namespaces/default/serviceaccounts/robot/token"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
KEY = new_key()


@asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    clock, entropy = SystemClock(), SystemEntropy()
    registry = Registry(MemoryStore(), clock=clock, entropy=entropy)
    await registry.start()
    for kind, meta in (
        ("Namespace", {"name": "default"}),
        ("ServiceAccount", {"name": "robot", "namespace": "default"}),
    ):
        await registry.create({"apiVersion": "v1", "kind": kind, "metadata": meta})
    tokens = ServiceAccountTokens(registry, clock=clock, entropy=entropy, key=lambda: KEY)
    server = ApiServer(registry, version="v0", clock=clock, details=dict, tokens=tokens)
    path = tmp_path / "api.sock"
    async with server.serving(path):
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://localhost", connector=connector) as http:
            yield http
    await registry.close()


def request(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def review(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}


async def test_a_token_is_asked_for_and_reviewed(tmp_path: Path) -> None:
    async with serving(tmp_path) as http:
        answer = await http.post(TOKEN, json=request(audiences=["shop"], expirationSeconds=900))
        made = await answer.json()
        assert answer.status == 201
        assert (made["kind"], made["metadata"]["name"]) == ("TokenRequest", "robot")
        assert made["spec"] == {"audiences": ["shop"], "expirationSeconds": 900}
        life = parse_rfc3339(made["status"]["expirationTimestamp"]) - parse_rfc3339(
            made["metadata"]["creationTimestamp"]
        )
        assert life == 900
        token = made["status"]["token"]
        answer = await http.post(REVIEWS, json=review(token=token, audiences=["shop"]))
        found = await answer.json()
        assert (answer.status, found["kind"]) == (201, "TokenReview")
        assert found["status"]["user"]["username"] == "system:serviceaccount:default:robot"
        answer = await http.post(REVIEWS, json=review(token=token))
        assert "authenticated" not in (await answer.json())["status"]


async def test_nobody_need_say_how_long_and_for_whom(tmp_path: Path) -> None:
    async with serving(tmp_path) as http:
        made = await (await http.post(TOKEN, json={"spec": {}})).json()
        assert made["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600}


@pytest.mark.parametrize(
    ("spec", "code", "told"),
    [
        ({"expirationSeconds": 599}, 422, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 2**33}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"expirationSeconds": "600"}, 400, "must be a whole number"),
        ({"audiences": "shop"}, 400, "must be a list of texts"),
        ({"boundObjectRef": "web"}, 400, "must name an object"),
        ({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "web"}}, 404, '"web" not found'),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_for(
    tmp_path: Path, spec: dict[str, Any], code: int, told: str
) -> None:
    async with serving(tmp_path) as http:
        answer = await http.post(TOKEN, json=request(**spec))
        assert answer.status == code
        assert told in (await answer.json())["message"]


async def test_bodies_that_ask_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as http:
        for path, body in (
            (TOKEN, []), (TOKEN, {"kind": "Pod"}), (TOKEN, {"spec": []}), (REVIEWS, {}),
            (REVIEWS, review(token=7)), (REVIEWS, review(token="x", audiences="y")),
        ):  # fmt: skip
            assert (await http.post(path, json=body)).status == 400, body
        missing = TOKEN.replace("robot", "nobody")
        assert (await http.post(missing, json=request())).status == 404


async def test_they_are_found(tmp_path: Path) -> None:
    """Discovery names them, and OpenID discovery says how a token is checked without asking."""
    async with serving(tmp_path) as http:
        groups = (await (await http.get("/apis")).json())["groups"]
        assert "authentication.k8s.io" in {g["name"] for g in groups}
        found = await (await http.get("/apis/authentication.k8s.io/v1")).json()
        assert [r["name"] for r in found["resources"]] == ["tokenreviews"]
        found = await (await http.get("/api/v1")).json()
        assert "serviceaccounts/token" in {r["name"] for r in found["resources"]}
        known = await (await http.get("/.well-known/openid-configuration")).json()
        assert known["issuer"] == ISSUER
        keys = await (await http.get("/openid/v1/jwks")).json()
        assert [k["alg"] for k in keys["keys"]] == ["RS256"]
