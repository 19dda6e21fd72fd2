"""What machines ask a daemon: is it alive, is it ready, how does it do. kube-apiserver's paths and answers.

``/livez`` and ``/healthz`` answer while the event loop does. ``/readyz`` runs the checks and names the ones that fail,
with status 500; ``?verbose`` names all, ``?exclude=NAME`` leaves one out. ``/metrics`` is for Prometheus.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable


class Check(NamedTuple):
    """One part of readiness; an empty ``problem``: it is ready."""

    name: str
    problem: str = ""


class Observing:
    """The handlers, over two questions that the daemon answers.

    ``metrics`` gets an ``Accept`` header and returns the text and its content type.
    """

    def __init__(
        self,
        checks: Callable[[], Awaitable[list[Check]]],
        metrics: Callable[[str], Awaitable[tuple[bytes, str]]],
    ) -> None:
        self._checks = checks
        self._metrics = metrics

    def add_routes(self, app: web.Application) -> None:
        for where in ("/healthz", "/livez"):
            app.router.add_get(where, self._alive)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._show_metrics)

    @asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncGenerator[int, None]:
        """Serve nothing but this on an address while the context lasts; yields the port.

        Raises ``ConfigError`` when the address cannot be had.
        """
        app = web.Application()
        self.add_routes(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            try:
                site = web.TCPSite(runner, host, port)
                await site.start()
            except OSError as error:
                raise ConfigError(
                    f"metrics cannot be served on {host} port {port} ({error.strerror}): choose another "
                    "with --metrics-listen or metrics.listen"
                ) from error
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()

    async def _alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _ready(self, request: web.Request) -> web.Response:
        left_out = set(request.query.getall("exclude", []))
        checks = [c for c in await self._checks() if c.name not in left_out]
        failed = any(c.problem for c in checks)
        if not failed and "verbose" not in request.query:
            return web.Response(text="ok")
        lines = [
            f"[-]{c.name} failed: {c.problem}" if c.problem else f"[+]{c.name} ok" for c in checks
        ]
        lines.append("readyz check failed" if failed else "readyz check passed")
        return web.Response(text="\n".join(lines) + "\n", status=500 if failed else 200)

    async def _show_metrics(self, request: web.Request) -> web.Response:
        text, content_type = await self._metrics(request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type})
