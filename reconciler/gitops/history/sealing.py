"""Secrets at rest in the history: AES-SIV (RFC 5297) under a key of this state directory.

The key lies in ``STATE_DIR/keys/history.key`` (0600), apart from what it seals: a backup without keys holds no values.
AES-SIV is deterministic, so an unchanged Secret is the same file; names of such files are keyed too.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from reconciler.gitops.history.protocol import HistoryError
from reconciler.gitops.keyfile import kept_key

if TYPE_CHECKING:
    from pathlib import Path

_KEY_BYTES = 64


class Seal:
    """Seals and opens; the key is made when it is needed first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = b""

    def address(self, digest: str) -> str:
        """Return the name under which a sealed object lies: from the plain digest a short value could be guessed."""
        return "s" + hmac.new(self._load(), digest.encode(), hashlib.sha256).hexdigest()[:31]

    def seal(self, data: bytes, address: str) -> bytes:
        """Encrypt; ``address`` is bound to it."""
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(self._load()).encrypt(data, [address.encode()])

    def open(self, data: bytes, address: str) -> bytes:
        """Decrypt. Raises ``HistoryError`` for another key or changed data."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        try:
            return AESSIV(self._load()).decrypt(data, [address.encode()])
        except (InvalidTag, ValueError) as error:
            raise HistoryError(
                f"a Secret in the history was changed, or sealed with another key than {self._path}"
            ) from error

    def _load(self) -> bytes:
        if not self._key:
            try:
                self._key = kept_key(self._path, _KEY_BYTES)
            except OSError as error:
                raise HistoryError(f"cannot use {self._path}: {error.strerror}") from error
            if len(self._key) != _KEY_BYTES:
                raise HistoryError(f"{self._path} is not a key of {_KEY_BYTES} bytes")
        return self._key
