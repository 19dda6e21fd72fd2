"""DNS messages (RFC 1035): a query in, an answer out. Pure."""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

A, NS, CNAME, SOA, PTR, AAAA, SRV, ANY = 1, 2, 5, 6, 12, 28, 33, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)

#: A UDP answer larger than this is cut, and the client asks again over TCP.
LARGEST_UDP = 1232


class BadQuery(Exception):
    """Bytes that are no query."""


class Query(NamedTuple):
    """One question. ``name`` is lower case, without the last dot."""

    id: int
    recursion: bool
    name: str
    type: int
    question: bytes  # as it came, to be repeated in the answer


class Record(NamedTuple):
    """One resource record; ``value``: an address, a name, or (priority, weight, port, name) for SRV."""

    name: str
    type: int
    value: str | tuple[int, int, int, str]
    ttl: int = 5


def parse_query(data: bytes) -> Query:
    """Read a query with one question. Raises ``BadQuery``."""
    if len(data) < 12:
        raise BadQuery("too short")
    number, flags, questions = struct.unpack("!HHH", data[:6])
    if flags & 0x8000 or questions != 1 or flags & 0x7800:
        raise BadQuery("not a standard query with one question")
    labels, at = [], 12
    while True:
        if at >= len(data):
            raise BadQuery("the name does not end")
        size = data[at]
        at += 1
        if size == 0:
            break
        if size > 63 or at + size > len(data):
            raise BadQuery("a label is malformed")
        labels.append(data[at : at + size].decode("latin-1").lower())
        at += size
    if at + 4 > len(data) or at - 12 > 255:
        raise BadQuery("the question is cut off")
    kind = struct.unpack("!H", data[at : at + 2])[0]
    return Query(number, bool(flags & 0x0100), ".".join(labels), kind, data[12 : at + 4])


def encode_name(name: str) -> bytes:
    """Write a name, without compression."""
    parts = [p.encode("latin-1", "replace")[:63] for p in name.strip(".").split(".") if p]
    return b"".join(bytes([len(p)]) + p for p in parts) + b"\0"


def _data(record: Record) -> bytes:
    value = record.value
    if isinstance(value, tuple):
        return struct.pack("!HHH", *value[:3]) + encode_name(value[3])
    if record.type == A:
        return ipaddress.IPv4Address(value).packed
    if record.type == SOA:
        numbers = struct.pack("!5I", 1, 7200, 1800, 86400, record.ttl)
        return encode_name(f"ns.dns.{value}") + encode_name(f"hostmaster.{value}") + numbers
    return encode_name(value)


def answer(
    query: Query,
    records: list[Record],
    *,
    code: int = NOERROR,
    authority: Record | None = None,
    limit: int = 65_535,
) -> bytes:
    """Write an authoritative answer; what does not fit ``limit`` bytes is left out and the answer marked as cut."""
    body, count, cut = b"", 0, False
    for record in records:
        data = _data(record)
        piece = (
            encode_name(record.name)
            + struct.pack("!HHIH", record.type, 1, record.ttl, len(data))
            + data
        )
        if 12 + len(query.question) + len(body) + len(piece) > limit:
            cut = True
            break
        body += piece
        count += 1
    tail = b""
    if authority is not None:
        data = _data(authority)
        tail = (
            encode_name(authority.name)
            + struct.pack("!HHIH", authority.type, 1, authority.ttl, len(data))
            + data
        )
    flags = 0x8400 | (0x0200 if cut else 0) | (0x0100 if query.recursion else 0) | 0x0080 | code
    head = struct.pack("!HHHHHH", query.id, flags, 1, count, 1 if tail else 0, 0)
    return head + query.question + body + tail
