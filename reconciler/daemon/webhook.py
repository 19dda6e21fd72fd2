"""The listener for webhooks, where the configuration asks for one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.config.address import Address, parse_address

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterable

    from reconciler.clock import Clock
    from reconciler.config import Webhook


async def open_receiver(
    stack: contextlib.AsyncExitStack,
    config: Webhook,
    wake: Callable[[Iterable[str]], list[str]],
    clock: Clock,
) -> str:
    """Listen until the stack is closed; returns the URL, empty: nobody asked for it. Raises ``ConfigError``."""
    if not config.listen:
        return ""
    # What nobody asked for is not loaded.
    from reconciler.gitops.webhook import Receiver, serve

    host, port = parse_address(config.listen)
    tls = (Path(config.cert_file), Path(config.key_file)) if config.cert_file else None
    receiver = Receiver(Path(config.secret_file), wake, clock)
    port = await stack.enter_async_context(serve(receiver, host, port, tls=tls))
    return f"{'https' if tls else 'http'}://{Address(host, port)}/"
