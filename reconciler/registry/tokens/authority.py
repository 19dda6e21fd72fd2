"""Who gets a token and whose a token is: ServiceAccounts, and the Pods, Secrets and Nodes that tokens are bound to.

A token says what Kubernetes' say (``kubernetes.io``: namespace, serviceaccount, pod, node). It is good until it expires or
one of the objects that it names is gone or another of the same name.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.tokens import InvalidToken, Token, account_of
from reconciler.clock import parse_rfc3339
from reconciler.errors import BadRequest, ConfigError, Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.api.client import Client
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object
    from reconciler.api.tokens import BoundObject, TokenRequest
    from reconciler.clock import Clock, Entropy
    from reconciler.registry.tokens.signing import SigningKey

#: Who issues tokens, and for whom they are where nobody says: the API server as Pods of any cluster name it.
ISSUER = "https://kubernetes.default.svc.cluster.local"
#: How long a token outlives the deletion of what it names, in seconds.
_LEEWAY = 60.0

_BINDABLE = {("v1", kind.kind): kind for kind in (kinds.POD, kinds.SECRET, kinds.NODE)}
_EXTRA = "authentication.kubernetes.io"


class ServiceAccountTokens:
    """Implements ``api.tokens.TokenAuthority``. ``key`` returns the PEM text of the signing key; it is asked once, in a thread."""

    def __init__(
        self, client: Client, *, clock: Clock, entropy: Entropy, key: Callable[[], bytes]
    ) -> None:
        self._client = client
        self._clock = clock
        self._entropy = entropy
        self._read_key = key
        self._key: SigningKey | None = None
        self._reading = asyncio.Lock()

    @property
    def issuer(self) -> str:
        return ISSUER

    async def request(self, asked: TokenRequest) -> Token:
        """Return a new token. Raises ``NotFound``, ``Conflict`` for another uid, ``BadRequest`` for what cannot be bound."""
        account = await self._client.get(kinds.SERVICE_ACCOUNT, asked.account, asked.namespace)
        private: dict[str, Any] = {
            "namespace": asked.namespace,
            "serviceaccount": _named(account),
        }
        if asked.bound is not None:
            private |= await self._bound(asked, asked.bound)
        now = int(self._clock.now())
        audiences = asked.audiences or (ISSUER,)
        claims = {
            "aud": list(audiences), "exp": now + asked.seconds, "iat": now, "nbf": now, "iss": ISSUER,
            "jti": self._entropy.uid(), "kubernetes.io": private,
            "sub": f"system:serviceaccount:{asked.namespace}:{asked.account}",
        }  # fmt: skip
        key = await self._signing_key()
        return Token(key.sign(claims), audiences, float(now + asked.seconds))

    async def _bound(self, asked: TokenRequest, bound: BoundObject) -> dict[str, Any]:
        kind = _BINDABLE.get((bound.api_version, bound.kind))
        if kind is None:
            what = f"{bound.api_version}, Kind={bound.kind}"
            raise BadRequest(f"cannot bind token to object of type {what}")
        namespace = asked.namespace if kind.namespaced else ""
        obj = await self._client.get(kind, bound.name, namespace)
        uid = obj["metadata"]["uid"]
        if bound.uid and bound.uid != uid:
            raise Conflict(
                f'Operation cannot be fulfilled on {kind.resource} "{bound.name}": the UID in the bound object '
                f"reference ({bound.uid}) does not match the UID in record. The object might have been deleted "
                "and then recreated",
                kind=kind.plural,
                name=bound.name,
            )
        found = {kind.kind.lower(): _named(obj)}
        if kind is kinds.POD:
            if account_of(obj) != asked.account:
                raise BadRequest(
                    f'cannot bind token for serviceaccount "{asked.account}" to pod running with '
                    "different serviceaccount name."
                )
            found |= await self._node(obj)
        return found

    async def _node(self, pod: Object) -> dict[str, Any]:
        name = (pod.get("spec") or {}).get("nodeName")
        if not name:
            return {}
        try:
            return {"node": _named(await self._client.get(kinds.NODE, name))}
        except NotFound:
            return {"node": {"name": name}}

    # -- whose it is ---------------------------------------------------------------------------------------------

    async def review(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        """Return a TokenReview's status; ``authenticated`` is there only where it is true, as in Kubernetes."""
        try:
            return await self._reviewed(token, audiences or (ISSUER,))
        except InvalidToken as error:
            return {"user": {}, "error": f"[invalid bearer token, {error}]"}

    async def _reviewed(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        key = await self._signing_key()
        claims = key.verify(token)
        now = self._clock.now()
        if now > claims["exp"]:
            raise InvalidToken("service account token has expired")
        if now < claims["nbf"]:
            raise InvalidToken("service account token is not valid yet")
        common = [one for one in audiences if one in claims["aud"]]
        if not common:
            wanted, named = " ".join(audiences), " ".join(claims["aud"])
            raise InvalidToken(
                f"token audiences [{named}] is invalid for the target audiences [{wanted}]"
            )
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        await self._require(kinds.SERVICE_ACCOUNT, namespace, account)
        extra = {f"{_EXTRA}/credential-id": [f"JTI={claims['jti']}"]}
        for kind in (kinds.POD, kinds.SECRET, kinds.NODE):
            named = private.get(kind.kind.lower())
            if named is None:
                continue
            # A Pod's token outlives its node's object: the node is only told of.
            if kind is not kinds.NODE or "pod" not in private:
                await self._require(kind, namespace if kind.namespaced else "", named)
            if kind is not kinds.SECRET:
                word = kind.kind.lower()
                extra |= {f"{_EXTRA}/{word}-{field}": [text] for field, text in named.items()}
        user = {
            "username": claims["sub"],
            "uid": account["uid"],
            "groups": [
                "system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated",
            ],
            "extra": extra,
        }  # fmt: skip
        return {"authenticated": True, "user": user, "audiences": common}

    async def _require(self, kind: Kind, namespace: str, named: dict[str, str]) -> None:
        """Raise ``InvalidToken`` unless an object still is the one that a token names."""
        try:
            obj = await self._client.get(kind, named["name"], namespace)
        except NotFound:
            raise InvalidToken(f'{kind.plural} "{named["name"]}" not found') from None
        meta = obj["metadata"]
        if meta["uid"] != named["uid"]:
            raise InvalidToken(
                f'{kind.plural} "{named["name"]}" is another of that name: its UID ({meta["uid"]}) '
                f"does not match the token's ({named['uid']})"
            )
        deleted = meta.get("deletionTimestamp")
        if deleted and parse_rfc3339(deleted) < self._clock.now() - _LEEWAY:
            raise InvalidToken("the token has been invalidated: what it is bound to is deleted")

    async def public_keys(self) -> dict[str, Any]:
        return (await self._signing_key()).public_keys()

    async def _signing_key(self) -> SigningKey:
        from reconciler.registry.tokens.signing import SigningKey

        async with self._reading:
            if self._key is None:
                # Making a key takes some tenths of a second: others go on meanwhile.
                try:
                    self._key = SigningKey(await asyncio.to_thread(self._read_key))
                except (ConfigError, ValueError) as error:
                    raise Unavailable(f"no tokens can be signed: {error}") from error
            return self._key


def _named(obj: Object) -> dict[str, str]:
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}
