"""Logs: a line an event, JSON where asked, and never a secret."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from reconciler.telemetry import configure
from reconciler.telemetry.redact import HIDDEN, redacted

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    yield io.StringIO()
    structlog.reset_defaults()


def test_text_is_one_line_an_event(stream: io.StringIO) -> None:
    configure("info", stream=stream)
    log = structlog.get_logger()
    log.debug("too small")
    log.info("synced", application="shop", why="a b", url="https://me:hunter2@git.example/x")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(
        "[info   ] synced application=shop why='a b' url=https://[redacted]@git.example/x"
    )


def test_json_is_one_object_an_event(stream: io.StringIO) -> None:
    configure("warning", json=True, stream=stream)
    log = structlog.get_logger()
    log.info("too small")
    try:
        raise ValueError("ssh://git:hunter2@host/x")  # noqa: TRY301 - the log is what is tested
    except ValueError:
        log.exception("failed", token="abc")
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert event["level"] == "error"
    assert event["event"] == "failed"
    assert event["token"] == HIDDEN
    assert event["timestamp"].endswith("Z")
    assert "ValueError" in event["exception"]
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("password", "x", HIDDEN),
        ("apiKey", "x", HIDDEN),
        ("webhook_token", "x", HIDDEN),
        (
            "headers",
            {"Authorization": "Basic abc", "Host": "h"},
            {"Authorization": HIDDEN, "Host": "h"},
        ),
        ("error", "401 for Bearer abcdefgh123", f"401 for Bearer {HIDDEN}"),
        ("error", ValueError("http://token@host/"), f"http://{HIDDEN}@host/"),
        ("urls", ("https://a:b@c/", "https://c/d@e"), [f"https://{HIDDEN}@c/", "https://c/d@e"]),
        ("secret", "", ""),
        ("key", "Pod/default/web", "Pod/default/web"),
        ("secretName", "db", "db"),
        ("count", 3, 3),
    ],
)
def test_secrets_are_hidden_and_the_rest_is_not(name: str, value: object, shown: object) -> None:
    assert redacted(name, value) == shown


@given(
    st.text(min_size=1).filter(
        lambda t: (
            not (set(t) & set("/@ \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0")) and t.isprintable()
        )
    )
)
def test_no_password_of_a_url_is_shown(password: str) -> None:
    shown = redacted("error", f"cannot fetch https://user:{password}@host/path: 403")
    assert shown == f"cannot fetch https://{HIDDEN}@host/path: 403"
