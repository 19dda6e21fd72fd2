"""What every channel needs: secrets when they are used, one bounded request, and whether to try again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.errors import ApiError, ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reconciler.api.client import Client
    from reconciler.config.notifications import Credential
    from reconciler.gitops.notify.message import Message

    Deliver = Callable[[Message], Awaitable[None]]

#: One try takes no longer, in seconds.
SECONDS = 10.0
_LARGEST_SECRET = 64 * 1024
_LARGEST_ANSWER = 4096


class Undelivered(ReconcilerError):
    """One try has failed; ``again`` is whether another can help, ``after`` how long the receiver asks to wait (s)."""

    def __init__(self, message: str, *, again: bool = True, after: float = 0.0) -> None:
        super().__init__(message)
        self.again = again
        self.after = after


class Secrets:
    """Reads secret values when they are needed, so that a new one holds at once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, given: Credential) -> str:
        """Return a value. Raises ``Undelivered``, which names the place and never the value."""
        if given.secret is None:
            return await asyncio.to_thread(_file, given.file)
        where = f"Secret {given.secret.namespace}/{given.secret.name}"
        try:
            found = await self._client.get(kinds.SECRET, given.secret.name, given.secret.namespace)
            return base64.b64decode(found["data"][given.secret.key]).decode().strip()
        except ApiError as error:
            raise Undelivered(f"{where}: {error}") from error
        except (KeyError, TypeError, ValueError):
            raise Undelivered(f"{where} has no text under {given.secret.key}") from None


def _file(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as reading:
            return reading.read(_LARGEST_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Undelivered(f"{path}: {getattr(error, 'strerror', None) or 'not text'}") from error


async def post(url: str, body: bytes, headers: Mapping[str, str], *, shown: str = "") -> str:
    """Send a body and return the beginning of the answer; no redirect is followed, no proxy is used.

    Raises ``Undelivered``, which names ``shown`` instead of a URL that is a secret. What the server says to a refusal
    is told; 408, 429 and 5xx are worth another try.
    """
    import aiohttp

    name = shown or url
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            said = (await answer.content.read(_LARGEST_ANSWER)).decode("utf-8", "replace")
            if answer.status < 300:
                return said
            after = 0.0
            with contextlib.suppress(ValueError):
                after = float(answer.headers.get("Retry-After") or 0)
            again = answer.status in (408, 429) or answer.status >= 500
            told = f"{name}: HTTP {answer.status} {' '.join(said.split())[:200]}"
            raise Undelivered(told.rstrip(), again=again, after=after)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        why = type(error).__name__ if shown else (str(error) or type(error).__name__)
        raise Undelivered(f"{name}: {why}") from error
