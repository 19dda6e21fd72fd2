"""Certificates of Ingress: from Secrets by host name (SNI), and a self-signed one where there is none (I13)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime as dt
import os
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object
    from reconciler.clock import Clock

log = structlog.get_logger(__name__)

_VALID_DAYS = 365


class Certificates:
    """A TLS context a Secret, made when it is first asked for and made anew when the Secret changes."""

    def __init__(self, secret_for: Callable[[str], Object | None], clock: Clock) -> None:
        self._secret_for = secret_for
        self._made: dict[tuple[str, str], tuple[str, ssl.SSLContext | None]] = {}
        self.default = _context(*_self_signed(clock.now()))
        self.default.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        secret = self._secret_for(name or "")
        if secret is None:
            return
        context = self._context_of(secret)
        if context is not None:
            connection.context = context

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


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """Return a server's context. The ssl module reads files only: one that nobody else can read, and that is gone at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
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


def _self_signed(now: float) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reconciler default certificate")])
    start = dt.datetime.fromtimestamp(now, dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - dt.timedelta(hours=1))
        .not_valid_after(start + dt.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
