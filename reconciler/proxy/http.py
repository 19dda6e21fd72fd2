"""Heads of HTTP/1.1 messages, read strictly and written plainly (RFC 9110, RFC 9112). No sockets here."""

from __future__ import annotations

from typing import NamedTuple

import httptools

#: A head larger than this is refused (431), in bytes.
LARGEST_HEAD = 64 * 1024

#: Headers of one hop; they are not passed on (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
        b"upgrade", b"proxy-authenticate", b"proxy-authorization",
    }
)  # fmt: skip

Headers = list[tuple[bytes, bytes]]


class BadMessage(Exception):
    """A message that cannot be understood, or that two readers could understand differently."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Head(NamedTuple):
    """What a message's head says. ``length`` None = no Content-Length."""

    method: bytes
    target: bytes
    status: int
    headers: Headers
    length: int | None
    chunked: bool
    keep_alive: bool
    upgrade: bool

    def get(self, name: bytes) -> bytes:
        return next((v for k, v in self.headers if k.lower() == name), b"")


class _Collector:
    def __init__(self) -> None:
        self.url = b""
        self.headers: Headers = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))


def parse_request(raw: bytes) -> Head:
    """Read a request's head (up to and with its empty line). Raises ``BadMessage``."""
    found = _Collector()
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except (httptools.HttpParserError, ValueError) as error:
        raise BadMessage(400, "the request is malformed") from error
    length, chunked = _framing(found.headers)
    upgrade = bool(parser.should_upgrade()) and bool(_values(found.headers, b"upgrade"))
    return Head(
        parser.get_method(), found.url, 0, found.headers, length, chunked,
        bool(parser.should_keep_alive()) or upgrade, upgrade,
    )  # fmt: skip


def parse_response(raw: bytes) -> Head:
    """Read a response's head. Raises ``BadMessage``."""
    found = _Collector()
    parser = httptools.HttpResponseParser(found)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except (httptools.HttpParserError, ValueError) as error:
        raise BadMessage(502, "the answer is malformed") from error
    length, chunked = _framing(found.headers)
    connection = b",".join(_values(found.headers, b"connection")).lower()
    version = parser.get_http_version()
    keep = b"close" not in connection and (version == "1.1" or b"keep-alive" in connection)
    status = parser.get_status_code()
    return Head(b"", b"", status, found.headers, length, chunked, keep, status == 101)


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [v for k, v in headers if k.lower() == name]


def _framing(headers: Headers) -> tuple[int | None, bool]:
    """Return (Content-Length, chunked?); refuses what allows request smuggling (RFC 9112, 6.3)."""
    lengths = {v.strip() for v in _values(headers, b"content-length")}
    encodings = _values(headers, b"transfer-encoding")
    if lengths and encodings:
        raise BadMessage(400, "both Content-Length and Transfer-Encoding are given")
    if len(lengths) > 1:
        raise BadMessage(400, "two different Content-Lengths are given")
    if encodings:
        if b",".join(encodings).strip().lower() != b"chunked":
            raise BadMessage(501, "only the transfer encoding chunked is understood")
        return None, True
    if lengths:
        text = lengths.pop()
        if not text.isdigit():
            raise BadMessage(400, "the Content-Length is not a number")
        return int(text), False
    return None, False


def passed_on(head: Head) -> Headers:
    """Return the headers that go beyond this hop."""
    named = {
        n.strip().lower()
        for value in _values(head.headers, b"connection")
        for n in value.split(b",")
    }
    drop = HOP_BY_HOP | named
    return [(k, v) for k, v in head.headers if k.lower() not in drop]


def write_head(first: bytes, headers: Headers) -> bytes:
    """Return a message's head."""
    lines = [first, *(k + b": " + v for k, v in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


_REASONS = {
    400: "Bad Request", 404: "Not Found", 408: "Request Timeout", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
}  # fmt: skip


def plain_answer(status: int, text: str, *, close: bool) -> bytes:
    """Return an answer of the proxy's own."""
    reason = _REASONS.get(status, "Error")
    body = f"{status} {reason}: {text}\n".encode()
    headers = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", str(len(body)).encode()),
        (b"Connection", b"close" if close else b"keep-alive"),
    ]
    return write_head(f"HTTP/1.1 {status} {reason}".encode(), headers) + body
