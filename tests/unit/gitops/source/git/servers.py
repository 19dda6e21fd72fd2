"""Real git servers on loopback, each on a free port: git daemon, smart HTTP with and without TLS, sshd."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.gitops.source.git.origin import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

USER, PASSWORD = "deploy", "s3cret/pa:ss@word"


@contextlib.asynccontextmanager
async def per_connection(*command: str, **options: object) -> AsyncIterator[int]:
    """Serve a free port as inetd does: a process a connection, its socket as stdin and stdout."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    children: list[subprocess.Popen[bytes]] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            with connection:
                connection.setblocking(True)
                children.append(
                    subprocess.Popen(
                        command, stdin=connection, stdout=connection, stderr=subprocess.DEVNULL,
                        env=ENVIRONMENT, **options,  # type: ignore[call-overload]
                    )
                )  # fmt: skip

    task = asyncio.create_task(serve())
    try:
        yield listener.getsockname()[1]
    finally:
        task.cancel()
        await asyncio.wait([task])
        listener.close()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            child.wait()


@contextlib.asynccontextmanager
async def git_daemon(root: Path) -> AsyncIterator[str]:
    """Serve every repository below ``root`` by git://; yields the URL's beginning."""
    command = ["git", "daemon", "--inetd", "--export-all", f"--base-path={root}", str(root)]
    async with per_connection(*command) as port:
        yield f"git://127.0.0.1:{port}"


class Https(NamedTuple):
    """A smart HTTP server: its URL's beginning, the authority of its certificate, and who asked for what."""

    url: str
    ca: str
    seen: list[tuple[str, str]]


@contextlib.asynccontextmanager
async def https(
    root: Path,
    where: Path,
    *,
    auth: str = "basic",
    more: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None,
) -> AsyncIterator[Https]:
    """Serve by https:// with a certificate of an authority of its own; ``auth``: basic, bearer or an empty text.

    ``more`` may answer what git itself does not.
    """
    ca = certificate(where)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(where / "server.pem", where / "server.key")
    seen: list[tuple[str, str]] = []
    expected = {
        "basic": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
        "bearer": f"Bearer {PASSWORD}",
        "": "",
    }[auth]

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append((request.path_qs, request.headers.get("Authorization", "")))
        if request.headers.get("Authorization", "") != expected:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        answer = await more(request) if more is not None else None
        return answer or await _backend(root, request)

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield Https(f"https://localhost:{port}", ca, seen)
    finally:
        await runner.cleanup()


async def _backend(root: Path, request: web.Request) -> web.StreamResponse:
    """Pass a request to ``git http-backend`` (CGI, RFC 3875)."""
    body = await request.read()
    environment = {
        **ENVIRONMENT,
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query_string,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "CONTENT_LENGTH": str(len(body)),
    }
    environment.pop("HTTP_CONTENT_ENCODING")  # aiohttp has unpacked the body
    process = await asyncio.create_subprocess_exec(
        "git", "http-backend", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    output, _ = await process.communicate(body)
    head, _, rest = output.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200").split(" ")[0])
    return web.Response(status=status, headers=headers, body=rest)


def certificate(where: Path) -> str:
    """Make an authority and a certificate of localhost; returns the authority's."""
    now = datetime.now(UTC)

    def signed(
        name: str, issuer: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey,
        *extensions: x509.ExtensionType,
    ) -> x509.Certificate:  # fmt: skip
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(by, hashes.SHA256())

    authority, key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    ca = signed(
        "test ca", "test ca", authority, authority,
        x509.BasicConstraints(ca=True, path_length=None),
    )  # fmt: skip
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    server = signed("localhost", "test ca", key, authority, names)
    pem = serialization.Encoding.PEM
    (where / "server.pem").write_bytes(server.public_bytes(pem))
    (where / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ca.public_bytes(pem).decode()


class Ssh(NamedTuple):
    """An sshd: the beginning of its URLs, the key that opens it, and its own as known_hosts has it."""

    url: str
    key: str
    known_hosts: str


@contextlib.asynccontextmanager
async def sshd(where: Path) -> AsyncIterator[Ssh]:
    """Serve by ssh://, as who runs the tests."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("sshd is not installed (openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(where / name)]
        subprocess.run(command, check=True)
    config = where / "sshd_config"
    config.write_text(
        f"HostKey {where / 'host'}\nAuthorizedKeysFile {where / 'user.pub'}\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n"
        "AcceptEnv GIT_PROTOCOL\n"
    )
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    async with per_connection(program, "-i", "-e", "-f", str(config)) as port:
        public = (where / "host.pub").read_text().rsplit(" ", 1)[0]
        yield Ssh(
            f"ssh://{user}@127.0.0.1:{port}", (where / "user").read_text(),
            f"[127.0.0.1]:{port} {public}\n",
        )  # fmt: skip
