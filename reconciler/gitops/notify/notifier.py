"""One queue a channel: bounded, in order, tried again with back-off, and never in the way of a sync."""

from __future__ import annotations

import asyncio
import fnmatch
from collections import deque
from typing import TYPE_CHECKING, Protocol

import structlog

from reconciler.api.decision import Notice
from reconciler.api.objects import annotations_of
from reconciler.config.notifications import CommitStatus as CommitStatusChannel
from reconciler.config.notifications import EmailChannel, SlackChannel, WebhookChannel
from reconciler.gitops.notify import message as messages
from reconciler.gitops.notify.channels import Email, Slack, Webhook
from reconciler.gitops.notify.commit_status import EVENTS, CommitStatus
from reconciler.gitops.notify.delivery import Secrets, Undelivered
from reconciler.gitops.notify.message import Message, Told
from reconciler.telemetry.measures import Counter, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.api.client import Client
    from reconciler.clock import Clock, Entropy
    from reconciler.config.notifications import Notification
    from reconciler.control import Recorder
    from reconciler.gitops.engine.outcomes import Outcome
    from reconciler.telemetry.measures import Family

log = structlog.get_logger(__name__)

#: So many messages wait for one channel; then the oldest is dropped.
WAITING = 100
#: A message is tried so often; the pauses between double from the first to the longest, in seconds.
TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0

#: On an Application: ``disabled`` and nobody is told of it.
ANNOTATION = "reconciler.dev/notifications"


class Channel(Protocol):
    """Carries one message. Raises ``Undelivered``."""

    async def deliver(self, message: Message) -> None: ...


class Notifier:
    """Tells every configured channel. ``tell`` is an observer of the engine. Raises ``ConfigError`` for a bad template."""

    def __init__(
        self,
        notifications: Iterable[Notification],
        client: Client,
        *,
        clock: Clock,
        entropy: Entropy,
        recorder: Recorder,
    ) -> None:
        self._secrets = Secrets(client)
        self._clock = clock
        self._entropy = entropy
        self._recorder = recorder
        self._sent = Counter(
            "reconciler_notifications",
            "Notifications by what came of them.",
            "notification",
            "result",
        )
        self._lines: list[_Line] = []
        self._changed = asyncio.Event()
        self.configure(notifications)

    def configure(self, notifications: Iterable[Notification]) -> None:
        """Tell these from now on. One that stays as it is keeps its queue and what it has told. Raises ``ConfigError``."""
        kept = {line.given: line for line in self._lines}
        self._lines = [
            kept.get(given)
            or _Line(given, self._secrets, self._clock, self._entropy, self._recorder, self._sent)
            for given in notifications
        ]
        self._changed.set()

    def tell(self, outcome: Outcome) -> None:
        """Put an outcome on the queue of each channel that wants it; returns at once."""
        if annotations_of(outcome.application).get(ANNOTATION) == "disabled":
            return
        for line in self._lines:
            line.take(outcome, self._entropy.uid)

    async def run(self) -> None:
        """Deliver until cancelled."""
        tasks: dict[_Line, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                for line in [line for line in tasks if line not in self._lines]:
                    tasks.pop(line).cancel()
                for line in self._lines:
                    if line not in tasks:
                        tasks[line] = group.create_task(line.run(), name=f"notify-{line.name}")
                await self._changed.wait()

    def measures(self) -> list[Family]:
        """Return how many were delivered, dropped and failed, and how many wait."""
        waiting = [((line.name,), float(line.waiting)) for line in self._lines]
        return [
            self._sent.family(),
            gauge("reconciler_notifications_waiting", "Notifications that wait.", ("notification",), waiting),
        ]  # fmt: skip


class _Line:
    """The queue of one channel, and who works it off."""

    def __init__(
        self,
        given: Notification,
        secrets: Secrets,
        clock: Clock,
        entropy: Entropy,
        recorder: Recorder,
        sent: Counter,
    ) -> None:
        if given.template:
            messages.check(given.template, given.name)
        self.name = given.name
        self.given = given
        self._channel = _channel(given, secrets)
        default = [messages.EVENTS[k] for k in EVENTS] if given.commit_status else messages.DEFAULT
        self._events = frozenset(given.on or default)
        self._clock = clock
        self._entropy = entropy
        self._recorder = recorder
        self._sent = sent
        self._told = Told()
        self._queue: deque[Message] = deque()
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def take(self, outcome: Outcome, uid: Callable[[], str]) -> None:
        event = messages.EVENTS[outcome.kind]
        if not any(fnmatch.fnmatchcase(outcome.name, p) for p in self.given.applications):
            return
        # What is not told still ends what was: after a success the same failure is news.
        if not self._told.is_news(outcome) or event not in self._events:
            return
        if isinstance(self._channel, CommitStatus) and not self._channel.concerns(outcome):
            return
        if len(self._queue) >= WAITING:
            self._queue.popleft()
            self._sent.add(self.name, "dropped")
        self._queue.append(
            Message(uid(), event, messages.text(self.given.template, outcome), outcome)
        )
        self._arrived.set()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                message = self._queue.popleft()
                try:
                    await self._deliver(message)
                except Exception:
                    # One message's trouble must not end the others.
                    log.exception("notification failed", notification=self.name)
                    self._sent.add(self.name, "failed")

    async def _deliver(self, message: Message) -> None:
        pause = FIRST_PAUSE
        for number in range(1, TRIES + 1):
            try:
                await self._channel.deliver(message)
            except Undelivered as error:
                if not error.again or number == TRIES:
                    self._fail(message, str(error), number)
                    return
                wait = max(pause * self._entropy.uniform(0.8, 1.2), min(error.after, LONGEST_PAUSE))
                await self._clock.sleep(wait)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self._sent.add(self.name, "delivered")
                return

    def _fail(self, message: Message, why: str, tries: int) -> None:
        self._sent.add(self.name, "failed")
        told = f"notification {self.name} of {message.event} was not delivered after {tries} tries: {why}"
        log.warning("notification not delivered", notification=self.name, error=why)
        self._recorder.record(
            Notice(message.outcome.application, "Warning", "NotificationFailed", told)
        )


def _channel(given: Notification, secrets: Secrets) -> Channel:
    channel = given.channel
    if isinstance(channel, WebhookChannel):
        return Webhook(channel, secrets)
    if isinstance(channel, SlackChannel):
        return Slack(channel, secrets)
    if isinstance(channel, EmailChannel):
        return Email(channel, secrets)
    assert isinstance(channel, CommitStatusChannel)  # noqa: S101 - the configuration was checked
    return CommitStatus(channel, secrets)
