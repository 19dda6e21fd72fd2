"""Heads of HTTP/1.1 messages, read strictly and written plainly (RFC 9110, RFC 9112). No sockets here."""

from __future__ import annotations

import re
from typing import NamedTuple

import httptools

#: A line that says how large a chunk is, its end included, and all trailers together, in bytes.
LARGEST_CHUNK_LINE = 4096

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
#: A name or an address, and a port. Whatever may end or begin a URL's authority has no place in it.
_HOST = re.compile(r"(?:\[[0-9a-f:.%a-z]*\]|[^\s/?#@:\[\]\\<>\"]*)(?::[0-9]*)?")
_ABSOLUTE_FORM = re.compile(rb"https?://([^/?#]+)([^#]*)", re.IGNORECASE)

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
    version: str = "1.1"
    reason: bytes = b""

    @property
    def has_body(self) -> bool:
        """Whether a request's head is followed by a body."""
        return self.chunked or bool(self.length)

    def get(self, name: bytes) -> bytes:
        return next((v for k, v in self.headers if k.lower() == name), b"")


class _Collector:
    def __init__(self) -> None:
        self.url = b""
        self.reason = b""
        self.headers: Headers = []

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

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
    method, version = parser.get_method(), parser.get_http_version()
    if version not in ("1.0", "1.1"):
        raise BadMessage(505, f"HTTP/{version} is not spoken here")
    if method == b"CONNECT":
        raise BadMessage(501, "this is no forward proxy")
    length, chunked = _framing(found.headers)
    if chunked and version == "1.0":
        raise BadMessage(400, "HTTP/1.0 has no transfer encodings")
    wanted = {v.strip().lower() for v in _values(found.headers, b"upgrade")}
    # HTTP/2 behind an upgrade would be a tunnel past every rule of the Ingress: it is not passed on (RFC 9110, 7.8).
    upgrade = (
        bool(parser.should_upgrade()) and bool(wanted) and not any(b"h2c" in v for v in wanted)
    )
    if upgrade and (chunked or length):
        # Whether the body or the new protocol comes next would be a guess.
        raise BadMessage(400, "an upgrade with a body is not understood")
    target, headers = _origin_form(found.url, found.headers)
    return Head(
        method, target, 0, headers, length, chunked,
        _persists(headers, version) or upgrade, upgrade, version,
    )  # fmt: skip


def _origin_form(target: bytes, headers: Headers) -> tuple[bytes, Headers]:
    """Return path and query; a target that names a host overrides the Host header (RFC 9112, 3.2.2)."""
    if b"#" in target:
        raise BadMessage(400, "a fragment is no part of a request's target")
    if target.startswith(b"/") or target == b"*":
        return target, headers
    found = _ABSOLUTE_FORM.fullmatch(target)
    if found is None:
        raise BadMessage(400, "the request's target is malformed")
    rest = found[2] if found[2].startswith(b"/") else b"/" + found[2]
    kept = [(k, v) for k, v in headers if k.lower() != b"host"]
    return rest, [(b"Host", found[1]), *kept]


def host_of(request: Head) -> str:
    """Return the host a request is for, lower case, without port. Raises ``BadMessage`` (RFC 9112, 3.2)."""
    hosts = _values(request.headers, b"host")
    if not hosts and request.version == "1.0":
        return ""
    if len(hosts) != 1:
        raise BadMessage(400, "exactly one Host is needed")
    text = hosts[0].decode("latin-1").strip().lower()
    if not _HOST.fullmatch(text):
        raise BadMessage(400, "the Host is malformed")
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0].rstrip(".")


def chunk_size(line: bytes) -> int:
    """Read the line before a chunk. Raises ``BadMessage`` for what another reader might read otherwise."""
    found = _CHUNK_SIZE.fullmatch(line)
    if found is None:
        raise BadMessage(400, "a chunk's size is malformed")
    return int(found[1], 16)


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
    version = parser.get_http_version()
    keep = _persists(found.headers, version)
    status = parser.get_status_code()
    return Head(
        b"", b"", status, found.headers, length, chunked, keep, status == 101, version, found.reason
    )


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [v for k, v in headers if k.lower() == name]


def _options(headers: Headers) -> set[bytes]:
    """Return what the Connection headers name, lower case."""
    return {
        n.strip().lower() for value in _values(headers, b"connection") for n in value.split(b",")
    }


def _persists(headers: Headers, version: str) -> bool:
    options = _options(headers)
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)


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
        if not text.isdigit() or len(text) > 18:
            raise BadMessage(400, "the Content-Length is not a number")
        return int(text), False
    return None, False


def passed_on(head: Head) -> Headers:
    """Return the headers that go beyond this hop."""
    # What frames or routes the message is not this hop's to lose, whatever ``Connection`` names.
    drop = HOP_BY_HOP | (_options(head.headers) - {b"host", b"content-length"})
    return [(k, v) for k, v in head.headers if k.lower() not in drop]


def write_head(first: bytes, headers: Headers) -> bytes:
    """Return a message's head."""
    lines = [first, *(k + b": " + v for k, v in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


_REASONS = {
    400: "Bad Request", 404: "Not Found", 408: "Request Timeout",
    429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}  # fmt: skip


def plain_answer(status: int, text: str, *, close: bool, bodiless: bool = False) -> bytes:
    """Return an answer of the proxy's own."""
    reason = _REASONS.get(status, "Error")
    body = f"{status} {reason}: {text}\n".encode()
    headers = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", str(len(body)).encode()),
        (b"Connection", b"close" if close else b"keep-alive"),
    ]
    return write_head(f"HTTP/1.1 {status} {reason}".encode(), headers) + (b"" if bodiless else body)
