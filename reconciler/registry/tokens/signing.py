"""JSON Web Tokens (RFC 7519) signed with one RSA key: RS256, which every verifier of OpenID Connect understands.

Only what this key signed is ever accepted: a token's header chooses no algorithm and no key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from reconciler.api.tokens import InvalidToken

_ALGORITHM = "RS256"
_BITS = 2048
#: A longer text is no token of ours, in characters.
_LONGEST = 16_384


class SigningKey:
    """A private key, of its PEM text. Raises ``ValueError`` where that is none of RSA."""

    __slots__ = ("_id", "_private")

    def __init__(self, pem: bytes) -> None:
        private = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise ValueError("the key is not one of RSA")  # noqa: TRY004 - as for any other text that is no key
        self._private = private
        public = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._id = _encoded(hashlib.sha256(public).digest())

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the token that says ``claims``."""
        header = {"alg": _ALGORITHM, "kid": self._id}
        signed = f"{_encoded(_json(header))}.{_encoded(_json(claims))}"
        signature = self._private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"

    def verify(self, token: str) -> dict[str, Any]:
        """Return what a token says, whatever its times. Raises ``InvalidToken``."""
        parts = token.split(".") if len(token) <= _LONGEST and token.isascii() else []
        if len(parts) != 3:
            raise InvalidToken("it is not a signed token")
        try:
            header, claims = (json.loads(_decoded(part)) for part in parts[:2])
            signature = _decoded(parts[2])
        except (ValueError, RecursionError):
            raise InvalidToken("it is not a signed token") from None
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise InvalidToken("it is not a signed token")
        if (header.get("alg"), header.get("kid")) != (_ALGORITHM, self._id):
            raise InvalidToken("it is signed with another key")
        try:
            self._private.public_key().verify(
                signature, f"{parts[0]}.{parts[1]}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            raise InvalidToken("its signature is wrong") from None
        return claims

    def public_keys(self) -> dict[str, Any]:
        """Return the public half as a JSON Web Key Set."""
        numbers = self._private.public_key().public_numbers()
        key = {
            "use": "sig", "kty": "RSA", "kid": self._id, "alg": _ALGORITHM,
            "n": _number(numbers.n), "e": _number(numbers.e),
        }  # fmt: skip
        return {"keys": [key]}


def new_key() -> bytes:
    """Return a new private key as PEM text; takes some tenths of a second."""
    return rsa.generate_private_key(65537, _BITS).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8))
