"""Tokens of ServiceAccounts: what they say, whose they are, and when they stop being good."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions
from reconciler.api.tokens import BoundObject, InvalidToken, TokenRequest
from reconciler.clock import SeededEntropy
from reconciler.errors import BadRequest, ConfigError, Conflict, NotFound, Unavailable
from reconciler.registry.tokens import ISSUER, ServiceAccountTokens
from reconciler.registry.tokens.signing import SigningKey, new_key

if TYPE_CHECKING:
    from reconciler.registry import Registry

KEY = new_key()
NOW = 1_800_000_000.5


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def tokens(registry: Registry, clock: Hands) -> ServiceAccountTokens:
    return ServiceAccountTokens(registry, clock=clock, entropy=SeededEntropy(5), key=lambda: KEY)


async def account(registry: Registry, name: str = "robot") -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return await registry.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})


async def pod(registry: Registry, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "a:1"}
    return await registry.create({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"serviceAccountName": "robot", "containers": [container], **spec},
    })  # fmt: skip


def said(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return found


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="))


async def test_a_token_says_whose_it_is(registry: Registry, tokens: ServiceAccountTokens) -> None:
    made = await account(registry)
    web = await pod(registry, nodeName="node")
    bound = BoundObject("v1", "Pod", "web", web["metadata"]["uid"])
    given = await tokens.request(TokenRequest("default", "robot", ("vault",), 600, bound))
    claims = said(given.text)
    private = claims.pop("kubernetes.io")
    assert claims.pop("jti")
    assert claims == {
        "aud": ["vault"], "iss": ISSUER, "sub": "system:serviceaccount:default:robot",
        "iat": int(NOW), "nbf": int(NOW), "exp": int(NOW) + 600,
    }  # fmt: skip
    assert private == {
        "namespace": "default",
        "serviceaccount": {"name": "robot", "uid": made["metadata"]["uid"]},
        "pod": {"name": "web", "uid": web["metadata"]["uid"]},
        "node": {"name": "node"},
    }
    assert given.expires_at == int(NOW) + 600
    assert given.text not in repr(given)


async def test_anybody_can_check_a_token_with_the_public_keys(
    registry: Registry, tokens: ServiceAccountTokens
) -> None:
    await account(registry)
    given = await tokens.request(TokenRequest("default", "robot"))
    (key,) = (await tokens.public_keys())["keys"]
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    signed, _, signature = given.text.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    public.verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    header = json.loads(base64.urlsafe_b64decode(signed.split(".")[0] + "=="))
    assert header == {"alg": "RS256", "kid": key["kid"]}


async def test_a_review_tells_whose_a_token_is(
    registry: Registry, tokens: ServiceAccountTokens
) -> None:
    made = await account(registry)
    web = await pod(registry)
    given = await tokens.request(
        TokenRequest("default", "robot", bound=BoundObject("v1", "Pod", "web"))
    )
    found = await tokens.review(given.text, ())
    assert (found["authenticated"], found["audiences"]) == (True, [ISSUER])
    user = found["user"]
    assert (user["username"], user["uid"]) == (
        "system:serviceaccount:default:robot",
        made["metadata"]["uid"],
    )
    assert user["groups"] == [
        "system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated",
    ]  # fmt: skip
    assert user["extra"] == {
        "authentication.kubernetes.io/credential-id": [f"JTI={said(given.text)['jti']}"],
        "authentication.kubernetes.io/pod-name": ["web"],
        "authentication.kubernetes.io/pod-uid": [web["metadata"]["uid"]],
    }


async def refusal(tokens: ServiceAccountTokens, token: str, *audiences: str) -> str:
    found = await tokens.review(token, audiences)
    assert "authenticated" not in found
    assert found["user"] == {}
    return str(found["error"])


async def test_a_token_is_good_for_its_time_and_its_audiences(
    registry: Registry, tokens: ServiceAccountTokens, clock: Hands
) -> None:
    await account(registry)
    given = await tokens.request(TokenRequest("default", "robot", ("vault", "shop"), 600))
    assert (await tokens.review(given.text, ("shop", "x")))["audiences"] == ["shop"]
    assert "is invalid for the target audiences [x]" in await refusal(tokens, given.text, "x")
    assert "is invalid for the target audiences" in await refusal(tokens, given.text)
    clock.at = NOW - 5
    assert "not valid yet" in await refusal(tokens, given.text, "shop")
    clock.at = NOW + 600
    assert "has expired" in await refusal(tokens, given.text, "shop")


async def test_a_token_is_good_while_what_it_names_is_there(
    registry: Registry, tokens: ServiceAccountTokens
) -> None:
    await account(registry)
    await pod(registry)
    bound = TokenRequest("default", "robot", bound=BoundObject("v1", "Pod", "web"))
    of_pod, of_account = [
        (await tokens.request(r)).text for r in (bound, TokenRequest("default", "robot"))
    ]
    await registry.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=0))
    assert 'pods "web" not found' in await refusal(tokens, of_pod)
    await pod(registry)
    assert "is another of that name" in await refusal(tokens, of_pod)
    assert (await tokens.review(of_account, ()))["authenticated"]
    await registry.delete(kinds.SERVICE_ACCOUNT, "robot", "default")
    assert 'serviceaccounts "robot" not found' in await refusal(tokens, of_account)


async def test_who_gets_no_token(registry: Registry, tokens: ServiceAccountTokens) -> None:
    with pytest.raises(NotFound, match='serviceaccounts "robot" not found'):
        await tokens.request(TokenRequest("default", "robot"))
    await account(registry)
    await account(registry, "other")
    await pod(registry)
    for who, bound, error, told in (
        ("robot", BoundObject("v1", "Pod", "api"), NotFound, 'pods "api" not found'),
        (
            "robot",
            BoundObject("v1", "Pod", "web", "u"),
            Conflict,
            "does not match the UID in record",
        ),
        ("other", BoundObject("v1", "Pod", "web"), BadRequest, "different serviceaccount name"),
        ("robot", BoundObject("v1", "ConfigMap", "x"), BadRequest, "of type v1, Kind=ConfigMap"),
    ):
        with pytest.raises(error, match=told):
            await tokens.request(TokenRequest("default", who, bound=bound))


async def test_without_a_key_it_is_said_why(registry: Registry, clock: Hands) -> None:
    await account(registry)

    def closed() -> bytes:
        raise ConfigError("cannot use key: Permission denied")

    for key, told in ((closed, "Permission denied"), (lambda: b"junk", "no tokens can be signed")):
        tokens = ServiceAccountTokens(registry, clock=clock, entropy=SeededEntropy(5), key=key)
        with pytest.raises(Unavailable, match=told):
            await tokens.request(TokenRequest("default", "robot"))


OURS = SigningKey(KEY)
TOKEN = OURS.sign({"sub": "robot"})


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    [
        "", "a", "a.b.c", "..", TOKEN + ".x", TOKEN[:-4] + "AAAA", "é." + TOKEN, "x" * 20_000,
        ".".join((part({"alg": "none"}), part({"sub": "robot"}), "")),
        ".".join((part({"alg": "HS256"}), part({"sub": "robot"}), "AAAA")),
        ".".join((TOKEN.split(".")[0], part({"sub": "admin"}), TOKEN.split(".")[2])),
        ".".join((part([]), part([]), "")),
        SigningKey(new_key()).sign({"sub": "robot"}),
    ],
)  # fmt: skip
def test_what_the_key_did_not_sign_is_no_token(token: str) -> None:
    with pytest.raises(InvalidToken):
        OURS.verify(token)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AQgw09-_.=\n"))
def test_a_token_with_another_character_is_no_token(at: int, character: str) -> None:
    changed = TOKEN[:at] + character + TOKEN[at + 1 :]
    try:
        claims = OURS.verify(changed)
    except InvalidToken:
        return
    # The last character of a part has bits that mean nothing.
    assert claims == {"sub": "robot"}
