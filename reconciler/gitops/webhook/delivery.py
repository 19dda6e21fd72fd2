"""Who sent a webhook, and whether it knows the secret. Signatures are compared in constant time. Pure.

GitHub signs the body (``X-Hub-Signature-256``), Gitea and Forgejo too (``X-Gitea-Signature``); GitLab sends the secret
itself (``X-Gitlab-Token``); anything else signs as Standard Webhooks say (``webhook-id``, ``webhook-timestamp``,
``webhook-signature``) or the body alone (``X-Signature: sha256=…``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A signed time may be off by so much, in seconds (Standard Webhooks).
TOLERANCE = 300.0

#: What is worth a look at the repository; everything else is answered and forgotten.
EVENTS = frozenset(
    {"push", "create", "delete", "release", "ping", "Push Hook", "Tag Push Hook", "System Hook"}
)


class Delivery(NamedTuple):
    """One webhook whose sender knows the secret. ``mark`` is the same when it is sent again; empty: nothing tells."""

    sender: str
    event: str
    mark: str

    @property
    def counts(self) -> bool:
        """Whether it may mean that a repository changed."""
        return not self.event or self.event in EVENTS


class RefusedError(Exception):
    """A webhook is not believed."""


def check(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: float
) -> Delivery:
    """Return who sent it. ``headers`` by lower-case names, ``now`` in seconds since the epoch.

    Raises ``RefusedError``, which says nothing that the sender could learn from.
    """
    if "x-gitlab-token" in headers:
        return _gitlab(headers, body, secrets)
    if "webhook-signature" in headers:
        return _standard(headers, body, secrets, now)
    for sender, signature, event in (
        ("gitea", "x-gitea-signature", "x-gitea-event"),
        ("forgejo", "x-forgejo-signature", "x-forgejo-event"),
        ("github", "x-hub-signature-256", "x-github-event"),
        ("generic", "x-signature", ""),
    ):
        if signature in headers:
            given = headers[signature].removeprefix("sha256=").lower()
            if not any(_same(given, _hex(secret, body)) for secret in secrets):
                break
            # The body of a push names its commits: the same one again is the same push.
            mark = f"{sender}:{given}" if event else ""
            return Delivery(sender, headers.get(event, ""), mark)
    raise RefusedError


def _gitlab(headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes]) -> Delivery:
    given = hashlib.sha256(headers["x-gitlab-token"].encode("utf-8", "surrogateescape")).digest()
    # Digests, so that not even the length of the secret can be measured.
    known = [hmac.compare_digest(given, hashlib.sha256(secret).digest()) for secret in secrets]
    if not any(known):
        raise RefusedError
    mark = headers.get("x-gitlab-event-uuid") or hashlib.sha256(body).hexdigest()
    return Delivery("gitlab", headers.get("x-gitlab-event", ""), f"gitlab:{mark}")


def _standard(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: float
) -> Delivery:
    name, time = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or not time.isdecimal() or len(time) > 15 or abs(now - int(time)) > TOLERANCE:
        raise RefusedError
    signed = f"{name}.{time}.".encode("utf-8", "surrogateescape") + body
    expected = [base64.b64encode(_digest(_key(secret), signed)).decode() for secret in secrets]
    for one in headers["webhook-signature"].split(" "):
        version, _, given = one.partition(",")
        if version == "v1" and any(_same(given, e) for e in expected):
            return Delivery("standard", "", f"standard:{name}")
    raise RefusedError


def _key(secret: bytes) -> bytes:
    """Return the key of a secret; ``whsec_`` says that it is in base64."""
    if not secret.startswith(b"whsec_"):
        return secret
    try:
        return base64.b64decode(secret[6:], validate=True)
    except binascii.Error:
        return secret


def _digest(secret: bytes, data: bytes) -> bytes:
    return hmac.new(secret, data, hashlib.sha256).digest()


def _hex(secret: bytes, data: bytes) -> str:
    return _digest(secret, data).hex()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
