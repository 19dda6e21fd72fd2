"""TokenRequest, TokenReview, and what anybody needs to check tokens without asking: OpenID discovery."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from reconciler.api.tokens import API_VERSION, GROUP, VERSION, parse_request, parse_review
from reconciler.apiserver import bodies
from reconciler.clock import rfc3339

if TYPE_CHECKING:
    from reconciler.api.tokens import TokenAuthority

_KEYS = "/openid/v1/jwks"


class TokenHandlers:
    """Answers from an authority. No token that it gives or is shown is kept or logged."""

    def __init__(self, authority: TokenAuthority) -> None:
        self._authority = authority

    def add_routes(self, app: web.Application) -> None:
        account = "/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        app.router.add_post(f"{account}/token", self._request)
        app.router.add_get(f"/apis/{GROUP}/{VERSION}", self._resources)
        app.router.add_post(f"/apis/{GROUP}/{VERSION}/tokenreviews", self._review)
        app.router.add_get("/.well-known/openid-configuration", self._configuration)
        app.router.add_get(_KEYS, self._public_keys)

    async def _resources(self, _: web.Request) -> web.Response:
        review = {
            "name": "tokenreviews", "singularName": "tokenreview", "namespaced": False,
            "kind": "TokenReview", "verbs": ["create"],
        }  # fmt: skip
        return web.json_response({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": API_VERSION, "resources": [review],
        })  # fmt: skip

    async def _request(self, request: web.Request) -> web.Response:
        at = request.match_info
        body = await bodies.json_body(request)
        asked = parse_request(body, at["namespace"], at["name"])
        token = await self._authority.request(asked)
        spec = {
            **(body.get("spec") or {}),
            "audiences": list(token.audiences),
            "expirationSeconds": asked.seconds,
        }
        meta = {
            "name": at["name"], "namespace": at["namespace"],
            "creationTimestamp": rfc3339(token.expires_at - asked.seconds),
        }  # fmt: skip
        status = {"token": token.text, "expirationTimestamp": rfc3339(token.expires_at)}
        done = {"kind": "TokenRequest", "apiVersion": API_VERSION, "metadata": meta}
        return web.json_response({**done, "spec": spec, "status": status}, status=201)

    async def _review(self, request: web.Request) -> web.Response:
        body = await bodies.json_body(request)
        token, audiences = parse_review(body)
        status = await self._authority.review(token, audiences)
        done = {"kind": "TokenReview", "apiVersion": API_VERSION, "metadata": {}}
        return web.json_response({**done, "spec": body["spec"], "status": status}, status=201)

    async def _configuration(self, _: web.Request) -> web.Response:
        issuer = self._authority.issuer
        return web.json_response({
            "issuer": issuer, "jwks_uri": f"{issuer}{_KEYS}", "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
        })  # fmt: skip

    async def _public_keys(self, _: web.Request) -> web.Response:
        keys = await self._authority.public_keys()
        return web.Response(text=json.dumps(keys), content_type="application/jwk-set+json")
