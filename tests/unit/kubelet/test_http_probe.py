"""httpGet, tcpSocket and exec probes against real servers and processes."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reconciler.clock import SystemClock
from reconciler.kubelet.probes import NetworkProber, Outcome, Target
from reconciler.runtime.cri import ContainerConfig, SandboxConfig
from reconciler.runtime.memory import Behaviour, MemoryRuntime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Server:
    """Answers each connection with the next of ``answers`` (the last one again), and keeps what it was asked."""

    def __init__(self, *answers: bytes, hold: bool = False) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []
        self.port = 0
        self._hold = hold

    @contextlib.asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.decode("latin-1").split("\r\n")[:-2])
            writer.write(self.answers[min(len(self.asked), len(self.answers)) - 1])
            await writer.drain()
            if self._hold:
                await reader.read()
            writer.close()


def status(code: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} Whatever", *headers, "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


async def ask(server: Server, seconds: float = 10, **get: Any) -> Outcome:
    target = Target("id", "127.0.0.1", {"web": server.port}, host_network=True)
    handler = {"httpGet": {"port": server.port, **get}}
    return await NetworkProber(MemoryRuntime(clock=SystemClock())).check(handler, target, seconds)


@pytest.mark.parametrize(
    ("code", "ok"),
    [(200, True), (204, True), (299, True), (404, False), (400, False), (503, False)],
)
async def test_statuses_from_200_to_399_succeed(code: int, ok: bool) -> None:
    """B11."""
    async with Server(status(code)).listening() as server:
        outcome = await ask(server)
    assert outcome.ok == ok
    assert outcome.answered
    if not ok:
        assert outcome.message == f"HTTP probe failed with statuscode: {code}"


async def test_a_probe_asks_as_the_kubelet_does() -> None:
    """B11: path, Host and headers of the probe's own; nothing of them can end a line."""
    async with Server(status(200)).listening() as server:
        await ask(server, port="web", path="healthz?full=1")
        await ask(
            server, path="/a b\r\nX: y",
            httpHeaders=[
                {"name": "host", "value": "shop.example"},
                {"name": "X-One", "value": "1\r\nX-Evil: 1"},
                {"name": "user-agent", "value": "mine"},
                {"name": "Accept", "value": ""},
            ],
        )  # fmt: skip
    plain, own = server.asked
    assert plain[0] == "GET /healthz?full=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in plain
    assert "User-Agent: kube-probe/1.36" in plain
    assert "Accept: */*" in plain
    assert own == [
        "GET /a%20b%0D%0AX:%20y HTTP/1.1", "Host: shop.example", "User-Agent: mine",
        "X-One: 1 X-Evil: 1", "Connection: close",
    ]  # fmt: skip


async def test_a_redirect_to_the_same_host_is_followed() -> None:
    """B11."""
    async with Server(status(302, "Location: /other"), status(200)).listening() as server:
        assert await ask(server) == Outcome(ok=True, answered=True)
        assert server.asked[1][0] == "GET /other HTTP/1.1"
    async with Server(status(302, "Location: /other"), status(500)).listening() as server:
        assert not (await ask(server)).ok


async def test_a_redirect_to_another_host_succeeds_with_a_warning() -> None:
    """B11: it is not followed."""
    async with Server(status(302, "Location: http://example.invalid/")).listening() as server:
        outcome = await ask(server)
        assert outcome.ok
        assert outcome.warning
        assert len(server.asked) == 1


async def test_redirects_in_a_circle_end() -> None:
    """B11: after ten."""
    async with Server(status(301, "Location: /again")).listening() as server:
        outcome = await ask(server)
        assert (outcome.ok, outcome.message) == (False, "stopped after 10 redirects")
        assert len(server.asked) == 11


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 9999999999999999999999999999999999999999 X\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\n" + b"X" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000 + b"\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[bad/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999/\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
async def test_whatever_a_workload_answers_is_an_outcome(answer: bytes) -> None:
    """An answer may fail its probe, and nothing else: a workload must not be able to harm the kubelet."""
    async with Server(answer).listening() as server:
        assert not (await ask(server)).ok


async def test_informational_answers_are_passed_over_and_the_body_is_not_waited_for() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    async with Server(early, hold=True).listening() as server:
        assert (await ask(server)).ok


def _certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere.example")])
    day = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(day).not_valid_after(day + dt.timedelta(1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8
    (folder / "key").write_bytes(
        key.private_bytes(pem, private, serialization.NoEncryption())
        + made.public_bytes(pem)
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "key")
    return context


async def test_https_does_not_look_at_the_certificate(tmp_path: Path) -> None:
    """B11: expired, of nobody we know, for another name."""
    async with Server(status(200)).listening(_certificate(tmp_path)) as server:
        assert (await ask(server, scheme="HTTPS")).ok
        assert not (await ask(server, scheme="HTTP")).ok


async def test_a_port_that_is_not_there() -> None:
    """B11, B12."""
    async with Server(status(200)).listening() as server:
        missing = await ask(server, port="metrics")
        assert (missing.ok, missing.message) == (False, "the container has no port named 'metrics'")
        target = Target("id", "127.0.0.1", {"web": server.port}, host_network=True)
        prober = NetworkProber(MemoryRuntime(clock=SystemClock()))
        assert (await prober.check({"tcpSocket": {"port": "web"}}, target, 5)).ok
    closed = await prober.check({"tcpSocket": {"port": "web"}}, target, 5)
    assert not closed.ok
    assert closed.message


async def test_one_that_does_not_answer_in_time_fails() -> None:
    """B12."""
    async with Server(b"", hold=True).listening() as server:
        outcome = await ask(server, seconds=0.05)
    assert (outcome.ok, outcome.message) == (False, "timed out after 0.05 s")


@pytest.mark.parametrize("code", [0, 1])
async def test_exec_succeeds_with_exit_code_0(code: int) -> None:
    """B12."""
    runtime = MemoryRuntime(
        clock=SystemClock(), script=lambda _, __: Behaviour(exec_exit_code=code)
    )
    box = await runtime.run_pod_sandbox(SandboxConfig("default", "p", "u"))
    container = await runtime.create_container(box.id, ContainerConfig("main", "i"))
    await runtime.start_container(container)
    target = Target(container, box.ip, {})
    found = await NetworkProber(runtime).check({"exec": {"command": ["true"]}}, target, 1)
    assert found.ok == (code == 0)
