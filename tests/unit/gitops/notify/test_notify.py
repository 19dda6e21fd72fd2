"""Notifications against real receivers: HTTP servers and a mail server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from reconciler.clock import LoopClock, SeededEntropy, run_virtual
from reconciler.config.notifications import Notification
from reconciler.errors import ConfigError
from reconciler.gitops.engine.outcomes import Outcome, OutcomeKind
from reconciler.gitops.notify import Notifier, notifier
from reconciler.gitops.notify.delivery import Undelivered
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from reconciler.api.decision import Notice
    from reconciler.gitops.notify.message import Message
    from reconciler.telemetry.measures import Family

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def outcome(
    kind: OutcomeKind = OutcomeKind.FAILED, message: str = "it broke", *, name: str = "shop",
    revision: str = COMMIT, url: str = "https://github.com/acme/shop.git", muted: bool = False,
) -> Outcome:  # fmt: skip
    app = {
        "metadata": {"name": name, "annotations": {"reconciler.dev/notifications": "disabled"} if muted else {}},
        "spec": {"source": {"git": {"url": url}}, "destination": {"namespace": "shop"}},
        "status": {"health": {"status": "Degraded"}},
    }  # fmt: skip
    return Outcome(
        kind, app, revision, message, 1_700_000_000.0, "Ada", "Fix it\n\nlong", "poll", 1.5
    )


class Events:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def record(self, notice: Notice) -> None:
        self.messages.append(f"{notice.reason}: {notice.message}")


class Receiver:
    """An HTTP server that keeps what it is sent and answers as told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[web.Response] = []
        self.url = ""
        self._arrived = asyncio.Event()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Receiver]:
        async def take(request: web.Request) -> web.Response:
            # As a real server: the path is decoded, the raw one is what was sent.
            self.requests.append((request.raw_path, dict(request.headers), await request.read()))
            self._arrived.set()
            return self.answers.pop(0) if self.answers else web.Response(status=201)

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def until(self, number: int) -> None:
        while len(self.requests) < number:
            self._arrived.clear()
            await self._arrived.wait()

    def json(self, number: int = 0) -> Any:
        return json.loads(self.requests[number][2])


def make(*given: dict[str, Any], client: Any = None) -> tuple[Notifier, Events]:
    import msgspec

    events = Events()
    found = Notifier(
        msgspec.convert(given, tuple[Notification, ...]),
        client or Registry(MemoryStore(), clock=LoopClock(), entropy=SeededEntropy()),
        clock=LoopClock(), entropy=SeededEntropy(), recorder=events,  # type: ignore[arg-type]
    )  # fmt: skip
    return found, events


@contextlib.asynccontextmanager
async def running(found: Notifier) -> AsyncIterator[None]:
    task = asyncio.create_task(found.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def counted(found: Notifier) -> dict[tuple[str, ...], Any]:
    family: Family = found.measures()[0]
    return dict(family.values)


async def test_a_webhook_is_signed_and_says_everything(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k3y\n")
    async with Receiver().serving() as receiver:
        found, _ = make({
            "name": "hook",
            "webhook": {"url": f"{receiver.url}/in", "hmacFrom": {"file": str(tmp_path / "key")}},
        })  # fmt: skip
        async with running(found):
            found.tell(outcome())
            await receiver.until(1)
    path, headers, body = receiver.requests[0]
    signature = hmac.new(b"k3y", body, hashlib.sha256).hexdigest()
    assert (path, headers["X-Reconciler-Signature-256"]) == ("/in", f"sha256={signature}")
    told = receiver.json()
    assert headers["X-Reconciler-Event"] == told["event"] == "sync-failed"
    assert headers["X-Reconciler-Delivery"] == told.pop("id")
    assert told.pop("text").startswith("shop: sync-failed at 0123456789ab (Fix it, Ada)")
    assert told == {
        "event": "sync-failed", "time": "2023-11-14T22:13:20Z", "application": "shop",
        "namespace": "shop", "revision": COMMIT, "message": "it broke", "author": "Ada",
        "title": "Fix it", "trigger": "poll", "seconds": 1.5, "sync": "", "health": "Degraded",
    }  # fmt: skip


async def test_slack_gets_a_template_that_mentions_nobody(tmp_path: Path) -> None:
    async with Receiver().serving() as receiver:
        (tmp_path / "url").write_text(f"{receiver.url}/T0/secret")
        found, _ = make({
            "name": "slack", "slack": {"urlFrom": {"file": str(tmp_path / "url")}},
            "template": "*{{ application }}* {{ message }}",
        })  # fmt: skip
        async with running(found):
            found.tell(outcome(message="<!channel> & co"))
            await receiver.until(1)
    assert receiver.json() == {"text": "*shop* &lt;!channel&gt; &amp; co"}


async def test_a_secret_url_is_in_no_event(tmp_path: Path) -> None:
    async with Receiver().serving() as receiver:
        (tmp_path / "url").write_text(f"{receiver.url}/T0/hunter2")
        receiver.answers = [web.Response(status=404, text="no_service")]
        found, events = make(
            {"name": "slack", "slack": {"urlFrom": {"file": str(tmp_path / "url")}}}
        )
        async with running(found):
            found.tell(outcome())
            while not events.messages:
                await asyncio.sleep(0.01)
    assert "HTTP 404 no_service" in events.messages[0]
    assert "hunter2" not in events.messages[0]
    assert counted(found) == {("slack", "failed"): 1}


async def test_mail_arrives_with_headers_that_a_message_cannot_break() -> None:
    received: list[str] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        data = False
        while line := (await reader.readline()).decode():
            if data and line == ".\r\n":
                data = False
                writer.write(b"250 ok\r\n")
                done.set()
            elif data:
                received.append(line)
            elif line.upper().startswith("QUIT"):
                writer.write(b"221 bye\r\n")
                break
            elif line.upper().startswith("DATA"):
                data = True
                writer.write(b"354 go\r\n")
            else:
                writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found, _ = make({
        "name": "mail", "template": "{{ application }} failed\r\x01Bcc: x@example.org\nbody\n.\n{{ message }}",
        "email": {"server": f"127.0.0.1:{port}", "sender": "r@example.org", "to": ["ops@example.org"], "tls": "none"},
    })  # fmt: skip
    async with server, running(found):
        found.tell(outcome())
        await done.wait()
        while not counted(found):
            await asyncio.sleep(0.01)
    head, _, body = "".join(received).partition("\r\n\r\n")
    assert "To: ops@example.org" in head
    assert not any(line.startswith("Bcc") for line in head.splitlines())
    assert "it broke" in body


async def test_what_is_told_again_and_again_is_told_once() -> None:
    async with Receiver().serving() as receiver:
        found, _ = make({"name": "hook", "webhook": {"url": receiver.url}, "applications": ["sh*"]})
        async with running(found):
            for _ in range(5):
                found.tell(outcome())
            found.tell(outcome(name="other"))
            found.tell(outcome(muted=True))
            found.tell(outcome(OutcomeKind.SUCCEEDED, "3 created"))
            found.tell(outcome())
            found.tell(outcome(message="another reason"))
            await receiver.until(3)
            while sum(counted(found).values()) < 3:
                await asyncio.sleep(0.01)
    assert [receiver.json(n)["message"] for n in range(3)] == [
        "it broke",
        "it broke",
        "another reason",
    ]
    assert counted(found) == {("hook", "delivered"): 3}


class Failing:
    """A channel that fails as told."""

    def __init__(self, *errors: Undelivered) -> None:
        self.errors = list(errors)
        self.tries: list[tuple[float, str]] = []

    async def deliver(self, message: Message) -> None:
        self.tries.append((asyncio.get_running_loop().time(), message.id))
        if self.errors:
            raise self.errors.pop(0)


def virtually(
    channel: Failing, monkeypatch: pytest.MonkeyPatch, act: Callable[[Notifier], None]
) -> tuple[Notifier, Events]:
    monkeypatch.setattr(notifier, "_channel", lambda *_: channel)

    async def main() -> tuple[Notifier, Events]:
        found, events = make({"name": "x", "webhook": {"url": "http://x"}})
        async with running(found):
            act(found)
            await asyncio.sleep(3600)
        return found, events

    return run_virtual(main())


def test_a_receiver_that_is_away_is_tried_again_with_pauses_that_double(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = Failing(Undelivered("a"), Undelivered("b"), Undelivered("c", after=60.0))
    found, events = virtually(channel, monkeypatch, lambda n: n.tell(outcome()))
    times = [at for at, _ in channel.tries]
    pauses = [b - a for a, b in itertools.pairwise(times)]
    assert [round(p) for p in pauses[:2]] == [1, 2]
    assert 60.0 <= pauses[2] < 60.1
    assert len({name for _, name in channel.tries}) == 1
    assert counted(found) == {("x", "delivered"): 1}
    assert not events.messages


def test_one_that_refuses_is_not_and_one_that_stays_away_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = Failing(Undelivered("no", again=False), *(Undelivered("away") for _ in range(8)))

    def act(found: Notifier) -> None:
        found.tell(outcome())
        found.tell(outcome(message="2"))
        found.tell(outcome(message="3"))

    found, events = virtually(channel, monkeypatch, act)
    assert len(channel.tries) == 1 + notifier.TRIES + 1
    assert counted(found) == {("x", "failed"): 2, ("x", "delivered"): 1}
    assert [e.partition(":")[0] for e in events.messages] == ["NotificationFailed"] * 2


def test_a_full_queue_drops_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = Failing()

    def act(found: Notifier) -> None:
        for number in range(notifier.WAITING + 5):
            found.tell(outcome(message=str(number)))

    found, _ = virtually(channel, monkeypatch, act)
    assert counted(found) == {("x", "dropped"): 5, ("x", "delivered"): notifier.WAITING}


@pytest.mark.parametrize("template", ["{{ nothing }}", "{% if %}", "{{ ().__class__ }}"])
def test_a_bad_template_is_refused_at_the_start(template: str) -> None:
    with pytest.raises(ConfigError, match="notification x: template line 1"):
        make({"name": "x", "webhook": {"url": "http://x"}, "template": template})


@pytest.mark.parametrize(
    ("provider", "api", "path", "header", "body"),
    [
        ("github", "", f"/repos/acme/shop/statuses/{COMMIT}", ("Authorization", "Bearer t0ken"),
         {"state": "failure", "context": "reconciler/shop", "description": "it broke"}),
        ("gitea", "/api/v1", f"/api/v1/repos/acme/shop/statuses/{COMMIT}", ("Authorization", "token t0ken"),
         {"state": "failure", "context": "reconciler/shop", "description": "it broke"}),
        ("gitlab", "/api/v4", f"/api/v4/projects/acme%2Fshop/statuses/{COMMIT}", ("PRIVATE-TOKEN", "t0ken"),
         {"state": "failed", "name": "reconciler/shop", "description": "it broke"}),
    ],
)  # fmt: skip
async def test_commit_statuses_as_the_servers_document_them(
    provider: str,
    api: str,
    path: str,
    header: tuple[str, str],
    body: dict[str, str],
    tmp_path: Path,
) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    async with Receiver().serving() as receiver:
        given = {"provider": provider, "url": receiver.url + api, "tokenFrom": {"file": str(tmp_path / "token")}}  # fmt: skip
        found, _ = make({"name": "status", "commitStatus": given})
        async with running(found):
            found.tell(outcome(url="https://elsewhere.example/acme/shop"))
            found.tell(outcome(OutcomeKind.INVALID, url="https://127.0.0.1/acme/shop.git"))
            found.tell(
                outcome(url="https://127.0.0.1/acme/shop.git", revision=f"{COMMIT}+12345678")
            )
            await receiver.until(1)
    assert len(receiver.requests) == 1
    assert receiver.requests[0][0] == path
    assert receiver.requests[0][1][header[0]] == header[1]
    assert receiver.json() == body


async def test_a_gitlab_status_that_is_there_already_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    async with Receiver().serving() as receiver:
        receiver.answers = [web.Response(status=400, text="Cannot transition status via :run from :running")]  # fmt: skip
        given = {"provider": "gitlab", "url": receiver.url, "tokenFrom": {"file": str(tmp_path / "token")}}  # fmt: skip
        found, events = make({"name": "status", "commitStatus": given})
        async with running(found):
            found.tell(outcome(OutcomeKind.STARTED, url="git@127.0.0.1:acme/shop.git"))
            while not counted(found):
                await asyncio.sleep(0.01)
    assert counted(found) == {("status", "delivered"): 1}
    assert not events.messages


async def test_a_token_out_of_a_secret_and_one_that_is_not_there() -> None:
    registry = Registry(MemoryStore(), clock=LoopClock(), entropy=SeededEntropy())
    await registry.start()
    try:
        for obj in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}},
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}, "stringData": {"t": "t0ken"}},
        ):  # fmt: skip
            await registry.create(obj)
        async with Receiver().serving() as receiver:

            def hook(key: str) -> dict[str, Any]:
                return {"url": receiver.url, "tokenFrom": {"secret": {"name": "s", "key": key}}}

            found, _ = make({"name": "a", "webhook": hook("t")}, client=registry)
            async with running(found):
                found.tell(outcome())
                await receiver.until(1)
            assert receiver.requests[0][1]["Authorization"] == "Bearer t0ken"
    finally:
        await registry.close()
