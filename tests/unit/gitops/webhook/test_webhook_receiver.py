"""Webhooks over real HTTP: who knows the secret wakes a repository's sources, and nobody can do more than that."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import io
import json
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.clock import SystemClock
from reconciler.errors import ConfigError
from reconciler.gitops.source.git.url import identity
from reconciler.gitops.webhook import Receiver, payload, serve
from reconciler.gitops.webhook.delivery import TOLERANCE, RefusedError, check
from reconciler.gitops.webhook.limit import Bucket, Heard
from reconciler.gitops.webhook.receiver import BURST, LARGEST_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

SECRET = "one-that-is-long-enough"
REPOSITORY = "github.com/acme/shop"
GITHUB = {
    "ref": "refs/heads/main", "after": "1" * 40,
    "repository": {"full_name": "acme/shop", "clone_url": "https://github.com/acme/shop.git",
                   "ssh_url": "git@github.com:acme/shop.git", "html_url": "https://github.com/acme/shop"},
}  # fmt: skip
GITLAB = {
    "object_kind": "push",
    "project": {"git_http_url": "https://github.com/acme/shop.git", "web_url": "https://github.com/acme/shop"},
}  # fmt: skip


def signed(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Listener:
    """A receiver on a free port; ``woken`` are the repositories that it was told of."""

    def __init__(self, secret_file: Path) -> None:
        self.woken: list[set[str]] = []
        self._receiver = Receiver(secret_file, self._wake, SystemClock())

    def _wake(self, urls: Iterable[str]) -> list[str]:
        found = {identity(url) for url in urls}
        self.woken.append(found)
        return ["shop"] if REPOSITORY in found else []

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Listener]:
        async with (
            serve(self._receiver, "127.0.0.1", 0) as self.port,
            aiohttp.ClientSession() as self.session,
        ):
            yield self

    async def post(self, body: Any, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(
            f"http://127.0.0.1:{self.port}/hooks", data=io.BytesIO(data), headers=named
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text


@pytest.fixture
def listener(tmp_path: Path) -> Listener:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\nthe-old-one\n")
    return Listener(file)


def github(body: Any, secret: str = SECRET, event: str = "push") -> dict[str, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {"X_GitHub_Event": event, "X_Hub_Signature_256": f"sha256={signed(data, secret)}"}


async def test_what_each_server_sends_wakes_the_repository(listener: Listener) -> None:
    raw = json.dumps(GITHUB).encode()
    plain = {"url": "ssh://git@github.com/acme/shop.git"}
    time = str(int(SystemClock().now()))
    text = b"id-1." + time.encode() + b"." + json.dumps(plain).encode()
    standard = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
    form = b"payload=" + b"".join(b"%%%02x" % c for c in raw)
    async with listener.serving() as at:
        for body, headers in (
            (GITHUB, github(GITHUB)),
            (form, {**github(form), "Content_Type": "application/x-www-form-urlencoded"}),
            (GITHUB, {"X_Gitea_Event": "push", "X_Gitea_Signature": signed(raw)}),
            (GITHUB, {"X_Forgejo_Event": "push", "X_Forgejo_Signature": signed(raw)}),
            (GITLAB, {"X_Gitlab_Event": "Push Hook", "X_Gitlab_Token": SECRET}),
            (plain, {"X_Signature": f"sha256={signed(json.dumps(plain).encode())}"}),
            (plain, {"webhook_id": "id-1", "webhook_timestamp": time, "webhook_signature": f"v0,x v1,{standard}"}),
        ):  # fmt: skip
            assert await at.post(body, **headers) == (202, {"woken": 1}), headers
        assert all(REPOSITORY in woken for woken in at.woken)
        # While a secret is replaced the old one is good too.
        other = {**GITHUB, "after": "2" * 40}
        assert await at.post(other, **github(other, "the-old-one")) == (202, {"woken": 1})
        assert await at.post({"url": "https://other/x"}, X_Gitlab_Token=SECRET) == (
            202,
            {"woken": 0},
        )


async def test_who_does_not_know_the_secret_wakes_nothing(listener: Listener) -> None:
    async with listener.serving() as at:
        for headers in (
            {}, github(GITHUB, "guess"), github(b"another body"), {"X_Hub_Signature_256": "sha256="},
            {"X_Hub_Signature_256": "sha256=\xe9"}, {"X_Gitlab_Token": ""}, {"X_Gitlab_Token": SECRET[:-1]},
            {"X_Hub_Signature": "sha1=" + "0" * 40}, {"X_Signature": "md5=" + "0" * 32},
            {"webhook_id": "x", "webhook_timestamp": "x", "webhook_signature": "v1,x"},
        ):  # fmt: skip
            status, told = await at.post(GITHUB, **headers)
            assert status == 401, headers
            assert SECRET not in json.dumps(told)
        assert at.woken == []


async def test_the_same_delivery_is_heard_once(listener: Listener) -> None:
    async with listener.serving() as at:
        assert await at.post(GITHUB, **github(GITHUB)) == (202, {"woken": 1})
        for _ in range(3):
            # Its id is not signed: another one makes it no other delivery.
            again = await at.post(GITHUB, **github(GITHUB), X_GitHub_Delivery="another")
            assert again == (202, {"message": "heard before"})
        assert len(at.woken) == 1


async def test_pings_and_other_events_wake_nothing_they_should_not(listener: Listener) -> None:
    async with listener.serving() as at:
        status, told = await at.post(GITHUB, **github(GITHUB, event="issues"))
        assert (status, told) == (202, {"message": "nothing to do for issues"})
        assert at.woken == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_none_is_refused(listener: Listener, body: bytes) -> None:
    async with listener.serving() as at:
        assert (await at.post(body, **github(body)))[0] == 400
        assert at.woken == []


async def test_too_large_a_body_is_not_taken_in(listener: Listener) -> None:
    async with listener.serving() as at:
        body = b"x" * (LARGEST_BODY + 1)
        assert (await at.post(body, **github(body)))[0] == 413


async def test_a_flood_is_turned_away_and_nothing_but_post_is_answered(listener: Listener) -> None:
    async with listener.serving() as at:
        answers = [(await at.post({"n": n}))[0] for n in range(BURST + 40)]
        assert answers[:BURST] == [401] * BURST
        assert 429 in answers[BURST:]
        async with at.session.get(f"http://127.0.0.1:{at.port}/") as answer:
            assert answer.status == 405


def test_without_a_secret_nothing_is_listened_to(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n \n")
    for name, told in (("empty", "is empty"), ("missing", "No such file")):
        with pytest.raises(ConfigError, match=told):
            Listener(tmp_path / name)


async def test_a_port_that_is_taken_is_named(listener: Listener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"webhook\.listen: 127\.0\.0\.1:{port}"):
            async with serve(listener._receiver, "127.0.0.1", port):
                pass


def test_an_old_signed_webhook_is_refused() -> None:
    def headers(time: int) -> dict[str, str]:
        text = f"a.{time}.".encode() + b"{}"
        digest = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
        signature = "v1," + base64.b64encode(digest).decode()
        return {
            "webhook-id": "a", "webhook-timestamp": str(time), "webhook-signature": signature,
        }  # fmt: skip

    now = 1_800_000_000
    assert check(headers(now), b"{}", [SECRET.encode()], now).mark == "standard:a"
    for time in (now - int(TOLERANCE) - 1, now + int(TOLERANCE) + 1):
        with pytest.raises(RefusedError):
            check(headers(time), b"{}", [SECRET.encode()], now)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["url", "urls", "repository", "project", "clone_url", "x"]), inner, max_size=4
    ),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_no_body_raises_anything_else(value: Any) -> None:
    try:
        found = payload.urls(json.dumps(value).encode(), "application/json")
    except payload.MalformedError:
        return
    assert all(isinstance(url, str) for url in found)


@given(st.dictionaries(st.sampled_from([
    "x-gitlab-token", "x-gitea-signature", "x-hub-signature-256", "x-signature", "webhook-signature", "webhook-id",
    "webhook-timestamp",
]), st.text(max_size=80)), st.binary(max_size=50))  # fmt: skip
def test_no_guess_is_believed(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(RefusedError):
        check(headers, body, [SECRET.encode()], 0)


@given(st.lists(st.floats(0, 100), max_size=200), st.integers(1, 20))
def test_a_bucket_lets_no_more_through_than_its_rate(times: list[float], burst: int) -> None:
    bucket = Bucket(2.0, burst)
    let = sum(bucket.take(now) for now in sorted(times))
    span = max(times) - min(times) if times else 0
    assert let <= burst + 2.0 * span + 1e-6


def test_what_was_heard_is_forgotten_in_time_and_number() -> None:
    heard = Heard(2, 10)
    assert [heard.again(mark, 0) for mark in ("a", "a", "b", "c", "a")] == [
        False,
        True,
        False,
        False,
        False,
    ]
    assert not heard.again("c", 11)
