"""Tokens of ServiceAccounts: what is asked for (TokenRequest), what is given, and who gives it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from reconciler.errors import BadRequest, Cause, Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.api.objects import Object

GROUP, VERSION = "authentication.k8s.io", "v1"
API_VERSION = f"{GROUP}/{VERSION}"
#: How long a token lives where nobody says, and the bounds of what may be asked for, in seconds.
DEFAULT_SECONDS = 3600
LEAST_SECONDS = 600
MOST_SECONDS = 1 << 32


class InvalidToken(Exception):
    """A text that is nobody's token, and why."""


class BoundObject(NamedTuple):
    """What a token is good for only while it exists. ``uid`` empty: whatever has the name."""

    api_version: str
    kind: str
    name: str
    uid: str = ""


class TokenRequest(NamedTuple):
    """A token asked for. No ``audiences``: the API server's own."""

    namespace: str
    account: str
    audiences: tuple[str, ...] = ()
    seconds: int = DEFAULT_SECONDS
    bound: BoundObject | None = None


class Token(NamedTuple):
    """A token: a secret. ``expires_at`` is seconds since the epoch."""

    text: str
    audiences: tuple[str, ...]
    expires_at: float

    def __repr__(self) -> str:
        return f"Token(audiences={self.audiences}, expires_at={self.expires_at})"


class TokenSource(Protocol):
    """Gives tokens."""

    async def request(self, asked: TokenRequest) -> Token:
        """Return a new token; raises ``ApiError`` where the account or what it is bound to is not there."""
        ...


class TokenAuthority(TokenSource, Protocol):
    """Gives tokens, and tells whose they are."""

    @property
    def issuer(self) -> str:
        """The URL that tokens name as theirs (``iss``)."""
        ...

    async def review(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        """Return a TokenReview's status: whose token it is, or why it is nobody's."""
        ...

    async def public_keys(self) -> dict[str, Any]:
        """Return the keys with which anybody can check a token, as a JSON Web Key Set (RFC 7517)."""
        ...


def account_of(pod: Object) -> str:
    """Return the name of the ServiceAccount that a Pod runs as."""
    spec = pod.get("spec") or {}
    return str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")


def parse_request(body: Any, namespace: str, account: str) -> TokenRequest:
    """Read a TokenRequest of an account. Raises ``BadRequest`` and ``Invalid``."""
    spec = _spec(body, "TokenRequest")
    audiences, seconds = spec.get("audiences") or (), spec.get("expirationSeconds")
    seconds = DEFAULT_SECONDS if seconds is None else seconds
    if not _are_texts(audiences):
        raise BadRequest("spec.audiences must be a list of texts")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise BadRequest("spec.expirationSeconds must be a whole number")
    if seconds < LEAST_SECONDS:
        raise _invalid(account, seconds, "may not specify a duration less than 10 minutes")
    if seconds > MOST_SECONDS:
        raise _invalid(account, seconds, "may not specify a duration larger than 2^32 seconds")
    bound = _bound(spec.get("boundObjectRef"))
    return TokenRequest(namespace, account, tuple(audiences), seconds, bound)


def parse_review(body: Any) -> tuple[str, tuple[str, ...]]:
    """Read a TokenReview: the token and the audiences of which it must name one. Raises ``BadRequest``."""
    spec = _spec(body, "TokenReview")
    token, audiences = spec.get("token"), spec.get("audiences") or ()
    if not token or not isinstance(token, str):
        raise BadRequest("token is required for TokenReview in authentication")
    if not _are_texts(audiences):
        raise BadRequest("spec.audiences must be a list of texts")
    return token, tuple(audiences)


def _spec(body: Any, kind: str) -> Mapping[str, Any]:
    whole = body if isinstance(body, dict) else {}
    spec = {} if whole.get("spec") is None else whole["spec"]
    named = (whole.get("apiVersion", API_VERSION), whole.get("kind", kind))
    if named != (API_VERSION, kind) or not isinstance(spec, dict) or body is not whole:
        raise BadRequest(f"the body is not a {kind} of {API_VERSION}")
    return spec


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)


def _bound(ref: Any) -> BoundObject | None:
    if ref is None:
        return None
    if not isinstance(ref, dict) or not all(isinstance(v, str) for v in ref.values()):
        raise BadRequest(
            "spec.boundObjectRef must name an object by apiVersion, kind, name and uid"
        )
    return BoundObject(
        ref.get("apiVersion", ""), ref.get("kind", ""), ref.get("name", ""), ref.get("uid", "")
    )


def _invalid(account: str, seconds: int, why: str) -> Invalid:
    told = f"spec.expirationSeconds: Invalid value: {seconds}: {why}"
    return Invalid(
        f'TokenRequest.{GROUP} "{account}" is invalid: {told}',
        kind="TokenRequest", group=GROUP, name=account,
        causes=(Cause("FieldValueInvalid", f"Invalid value: {seconds}: {why}", "spec.expirationSeconds"),),
    )  # fmt: skip
