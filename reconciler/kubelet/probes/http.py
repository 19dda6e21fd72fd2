"""httpGet: one GET, as the kubelet asks it (B11).

Statuses 200 to 399 succeed. A redirect to the same host is followed, ten times at most; one to another host succeeds
with a warning. Certificates are not looked at: a probe asks whether it answers, not who it is.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from reconciler.kubelet.probes.target import Opener, Outcome, Target

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

#: The head of an answer may have so many bytes; its body is not read.
LONGEST_HEAD = 64 * 1024
MOST_REDIRECTS = 10

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_AS_IS = "/?&=%:;,@!$'()*+~[]#"


class _Answer(NamedTuple):
    status: int
    location: str


async def get(handler: dict[str, Any], target: Target, opener: Opener) -> Outcome:
    """Ask once, and follow. Raises ``OSError`` and ``EOFError`` where nobody answers in HTTP."""
    scheme = str(handler.get("scheme") or "HTTP").lower()
    host, port = handler.get("host", ""), target.port(handler["port"])
    url = f"{scheme}://{host or target.ip}:{port}" + _path(handler.get("path") or "/")
    headers = _headers(handler)
    for _ in range(MOST_REDIRECTS + 1):
        at = urlsplit(url)
        port = at.port or _DEFAULT_PORTS[at.scheme]
        reader, writer = await opener(host, port, target, _any_certificate(at.scheme))
        try:
            path = at.path + (f"?{at.query}" if at.query else "")
            writer.write(_request(path or "/", {"Host": at.netloc, **headers}))
            answer = await _answer(reader)
        finally:
            writer.close()
        onward = _onward(url, answer)
        if not onward:
            return _judge(answer)
        url = onward
    return Outcome(ok=False, message=f"stopped after {MOST_REDIRECTS} redirects")


def _onward(url: str, answer: _Answer) -> str:
    """Return where a redirect leads on the same host; empty where there is none to follow."""
    if answer.status not in _REDIRECTS or not answer.location:
        return ""
    try:
        wanted = urljoin(url, answer.location)
        to = urlsplit(wanted)
        follow = to.scheme in _DEFAULT_PORTS and to.hostname == urlsplit(url).hostname
        follow = follow and to.port != 0
    except ValueError as error:
        raise OSError(f"failed to parse Location header {answer.location!r}: {error}") from error
    return wanted if follow else ""


def _judge(answer: _Answer) -> Outcome:
    if 200 <= answer.status < 300:
        return Outcome(ok=True, answered=True)
    if 300 <= answer.status < 400:
        told = f"Probe terminated redirects, at {answer.location!r}"
        return Outcome(ok=True, message=told, warning=True, answered=True)
    told = f"HTTP probe failed with statuscode: {answer.status}"
    return Outcome(ok=False, message=told, answered=True)


def _any_certificate(scheme: str) -> ssl.SSLContext | None:
    if scheme != "https":
        return None
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    return tls


def _path(path: str) -> str:
    return quote(path if path.startswith("/") else "/" + path, safe=_AS_IS).partition("#")[0]


def _headers(handler: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers to send: the probe's own in place of the usual ones; an empty Accept sends none."""
    own: dict[str, str] = {}
    for header in handler.get("httpHeaders") or ():
        name = str(header["name"]).title()
        value = str(header.get("value") or "")
        own[name] = f"{own[name]}, {value}" if name in own else value
    usual = {"User-Agent": "kube-probe/1.36", "Accept": "*/*"}
    found = {**usual, **own}
    if not found["Accept"]:
        del found["Accept"]
    return found


def _request(path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1"]
    lines += [" ".join(f"{name}: {value}".splitlines()) for name, value in headers.items()]
    return ("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("latin-1", "replace")


async def _answer(reader: asyncio.StreamReader) -> _Answer:
    """Read the head of the final answer; answers of 1xx come before it."""
    while True:
        answer = await _head(reader)
        if answer.status >= 200 or answer.status == 101:
            return answer


async def _head(reader: asyncio.StreamReader) -> _Answer:
    parts = (await _line(reader)).split(" ", 2)
    if not parts[0].startswith("HTTP/") or len(parts) < 2 or not _is_status(parts[1]):
        raise OSError("malformed HTTP response")
    location, size = "", 0
    while line := await _line(reader):
        size += len(line)
        if size > LONGEST_HEAD:
            raise OSError(f"the head of the answer is longer than {LONGEST_HEAD} bytes")
        name, _, value = line.partition(":")
        if name.strip().lower() == "location":
            location = value.strip()
    return _Answer(int(parts[1]), location)


def _is_status(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isdigit()


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        line = await reader.readline()
    except ValueError as error:  # longer than the reader's limit
        raise OSError("a line of the answer is too long") from error
    if not line.endswith(b"\n"):
        raise EOFError("the connection was closed before the answer was complete")
    return line.rstrip(b"\r\n").decode("latin-1")
