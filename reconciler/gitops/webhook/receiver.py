"""The listener for webhooks: what it hears wakes sources, and does nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from reconciler.errors import ConfigError
from reconciler.gitops.webhook import payload
from reconciler.gitops.webhook.delivery import RefusedError, check
from reconciler.gitops.webhook.limit import Bucket, Heard

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from pathlib import Path

    from reconciler.clock import Clock

log = structlog.get_logger(__name__)

#: A webhook is no larger, in bytes, comes in no longer, in seconds, and so many come in at once.
LARGEST_BODY = 8 * 1024 * 1024
READ_SECONDS = 10.0
AT_ONCE = 4
#: So many webhooks are looked at in a second, and at once; the interval's poll finds what was turned away.
RATE, BURST = 10.0, 60
#: So many are remembered, and for so long, in seconds: an old one sent again does nothing.
REMEMBERED, REMEMBERED_SECONDS = 4096, 86_400.0


class Receiver:
    """Answers POST on any path. ``wake`` is told the URLs of a repository, and returns whom it woke."""

    def __init__(
        self, secret_file: Path, wake: Callable[[Iterable[str]], list[str]], clock: Clock
    ) -> None:
        """``secret_file`` holds one secret a line: while one is replaced both are good.

        Raises ``ConfigError`` where it cannot be read or is empty.
        """
        self._secret_file = secret_file
        self._wake = wake
        self._clock = clock
        self._bucket = Bucket(RATE, BURST)
        self._heard = Heard(REMEMBERED, REMEMBERED_SECONDS)
        self._reading = asyncio.Semaphore(AT_ONCE)
        self._secrets()

    def application(self) -> web.Application:
        """Return the web application."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/{path:.*}", self._receive)
        return app

    def _secrets(self) -> list[bytes]:
        try:
            text = self._secret_file.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"webhook.secretFile: {self._secret_file}: {error.strerror}"
            ) from error
        found = [line.strip() for line in text.splitlines() if line.strip()]
        if not found:
            raise ConfigError(f"webhook.secretFile: {self._secret_file} is empty")
        return found

    async def _receive(self, request: web.Request) -> web.Response:
        if not self._bucket.take(self._clock.monotonic()):
            return _answer(429, "too many webhooks", {"Retry-After": "10"})
        try:
            async with asyncio.timeout(READ_SECONDS), self._reading:
                body = await request.read()
        except TimeoutError:
            return _answer(408, "the webhook did not come in within 10 s")
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            delivery = check(headers, body, self._secrets(), self._clock.now())
        except RefusedError:
            log.warning("webhook refused: its signature is wrong or missing", peer=request.remote)
            return _answer(401, "the signature is wrong or missing")
        except ConfigError as error:
            log.error("webhook not checked", error=str(error))  # noqa: TRY400 - a traceback would say no more
            return _answer(503, "the secret cannot be read here")
        if not delivery.counts:
            return _answer(202, f"nothing to do for {delivery.event}")
        if delivery.mark and self._heard.again(delivery.mark, self._clock.monotonic()):
            return _answer(202, "heard before")
        try:
            urls = payload.urls(body, request.content_type)
        except payload.MalformedError as error:
            return _answer(400, str(error))
        woken = self._wake(urls)
        log.info("webhook", sender=delivery.sender, woken=", ".join(woken))
        return web.json_response({"woken": len(woken)}, status=202)


@contextlib.asynccontextmanager
async def serve(
    receiver: Receiver, host: str, port: int, *, tls: tuple[Path, Path] | None = None
) -> AsyncGenerator[int, None]:
    """Listen while the context lasts; yields the port (of 0 the one that was free).

    ``tls`` are the files of a certificate and its key. Raises ``ConfigError`` where it cannot be listened.
    """
    runner = web.AppRunner(receiver.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        context = _context(tls) if tls is not None else None
        try:
            await web.TCPSite(runner, host, port, ssl_context=context).start()
        except OSError as error:
            raise ConfigError(f"webhook.listen: {host}:{port}: {error.strerror}") from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _context(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(*files)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"webhook.certFile {files[0]}, keyFile {files[1]}: {error}") from error
    return context


def _answer(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"message": message}, status=status, headers=headers)
