"""Notifications as the configuration has them now: the machinery is loaded when somebody first wants to be told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.api.client import Client
    from reconciler.clock import Clock, Entropy
    from reconciler.config.notifications import Notification
    from reconciler.control import Recorder
    from reconciler.gitops import notify
    from reconciler.gitops.engine import Outcome
    from reconciler.telemetry.measures import Family


class Notifying:
    """An observer of the engine; ``configure`` may be called at any time."""

    def __init__(
        self, client: Client, *, clock: Clock, entropy: Entropy, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._entropy = entropy
        self._recorder = recorder
        self._notifier: notify.Notifier | None = None
        self._wanted = asyncio.Event()

    def configure(self, notifications: Sequence[Notification]) -> None:
        """Tell these from now on. Raises ``ConfigError`` for a template, and then nothing changes."""
        if self._notifier is not None:
            self._notifier.configure(notifications)
        elif notifications:
            from reconciler.gitops import notify

            self._notifier = notify.Notifier(
                notifications, self._client, clock=self._clock, entropy=self._entropy,
                recorder=self._recorder,
            )  # fmt: skip
            self._wanted.set()

    def tell(self, outcome: Outcome) -> None:
        if self._notifier is not None:
            self._notifier.tell(outcome)

    def measures(self) -> list[Family]:
        return self._notifier.measures() if self._notifier is not None else []

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._wanted.wait()
        assert self._notifier is not None  # noqa: S101 - that is what was waited for
        await self._notifier.run()
