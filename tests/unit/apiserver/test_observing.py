"""/livez, /readyz, /metrics over HTTP, as a load balancer and Prometheus ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from reconciler.apiserver import ApiServer, Check, Observing
from reconciler.clock import SeededEntropy, SystemClock
from reconciler.errors import ConfigError
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path


class Parts:
    """What would be a daemon."""

    def __init__(self) -> None:
        self.problem = ""

    async def checks(self) -> list[Check]:
        return [Check("store"), Check("gitops", self.problem)]

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        return f"accepted {accept}".encode(), "text/plain; version=0.0.4; charset=utf-8"


async def get(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with session.get(url) as answer:
        return answer.status, await answer.text()


async def test_readiness_names_what_is_not_ready() -> None:
    parts = Parts()
    observing = Observing(parts.checks, parts.metrics)
    async with observing.serving("127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
        base = f"http://127.0.0.1:{port}"
        assert await get(session, f"{base}/readyz") == (200, "ok")
        status, text = await get(session, f"{base}/readyz?verbose")
        assert (status, text) == (200, "[+]store ok\n[+]gitops ok\nreadyz check passed\n")

        parts.problem = "not started yet"
        status, text = await get(session, f"{base}/readyz")
        assert status == 500
        assert "[-]gitops failed: not started yet" in text
        assert await get(session, f"{base}/readyz?exclude=gitops") == (200, "ok")
        for alive in ("/livez", "/healthz"):
            assert await get(session, base + alive) == (200, "ok")
        # Nothing else is served there, the API least of all.
        assert (await get(session, f"{base}/api/v1/secrets"))[0] == 404


async def test_metrics_come_with_their_content_type() -> None:
    parts = Parts()
    observing = Observing(parts.checks, parts.metrics)
    async with observing.serving("127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
        headers = {"Accept": "application/openmetrics-text"}
        async with session.get(f"http://127.0.0.1:{port}/metrics", headers=headers) as answer:
            assert await answer.text() == "accepted application/openmetrics-text"
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_an_address_that_is_taken_is_told() -> None:
    parts = Parts()
    observing = Observing(parts.checks, parts.metrics)
    async with observing.serving("127.0.0.1", 0) as port:
        with pytest.raises(ConfigError, match=rf"port {port}.*--metrics-listen"):
            async with observing.serving("127.0.0.1", port):
                pass


async def test_the_api_s_own_socket_answers_too(tmp_path: Path) -> None:
    parts = Parts()
    clock = SystemClock()
    registry = Registry(MemoryStore(), clock=clock, entropy=SeededEntropy())
    await registry.start()
    server = ApiServer(
        registry, version="v0", clock=clock, details=dict,
        observing=Observing(parts.checks, parts.metrics),
    )  # fmt: skip
    connector = aiohttp.UnixConnector(str(tmp_path / "api.sock"))
    async with (
        server.serving(tmp_path / "api.sock"),
        aiohttp.ClientSession(connector=connector) as session,
    ):
        assert await get(session, "http://reconciler/readyz") == (200, "ok")
        assert (await get(session, "http://reconciler/metrics"))[0] == 200
    await registry.close()
