"""Certificates of Ingress: from Secrets by host name (SNI), and a self-signed one where there is none (I13)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object
    from reconciler.clock import Clock

log = structlog.get_logger(__name__)


class Certificates:
    """A TLS context a Secret, made when it is first asked for and made anew when the Secret changes."""

    def __init__(self, secret_for: Callable[[str], Object | None], clock: Clock) -> None:
        self._secret_for = secret_for
        self._made: dict[tuple[str, str], tuple[str, ssl.SSLContext | None]] = {}
        self._clock = clock
        self._fallback: ssl.SSLContext | None = None
        #: What a listener starts with: it has no certificate; each handshake is given one.
        self.default = _new_context()
        self.default.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        secret = self._secret_for(name or "")
        context = self._context_of(secret) if secret is not None else None
        connection.context = context or self._self_signed()

    def _self_signed(self) -> ssl.SSLContext:
        """Return the context for who has no Secret, made when it is first needed: that loads a large library."""
        if self._fallback is None:
            from reconciler.proxy.selfsigned import self_signed

            self._fallback = _context(*self_signed(self._clock.now()))
        return self._fallback

    def _context_of(self, secret: Object) -> ssl.SSLContext | None:
        meta = secret["metadata"]
        place = (meta["namespace"], meta["name"])
        version = str(meta.get("resourceVersion"))
        made = self._made.get(place)
        if made is not None and made[0] == version:
            return made[1]
        data = secret.get("data") or {}
        context: ssl.SSLContext | None
        try:
            certificate = base64.b64decode(data["tls.crt"])
            context = _context(certificate, base64.b64decode(data["tls.key"]))
        except (KeyError, TypeError, ValueError, binascii.Error, OSError) as error:
            log.warning(
                "certificate cannot be used", secret="/".join(place), error=type(error).__name__
            )
            context = None
        self._made[place] = (version, context)
        return context


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """Return a server's context. The ssl module reads files only: one that nobody else can read, and that is gone at once."""
    context = _new_context()
    descriptor, name = tempfile.mkstemp(prefix="tls-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate + b"\n" + key)
        # Without a password, OpenSSL would ask for an encrypted key's on the terminal.
        context.load_cert_chain(name, password=b"")
    finally:
        with contextlib.suppress(OSError):
            Path(name).unlink()
    return context
