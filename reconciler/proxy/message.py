"""DNS messages (RFC 1035): a query in, an answer out. Pure."""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

A, NS, CNAME, SOA, PTR, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 28, 33, 41, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)

#: A UDP answer larger than this is cut, and the client asks again over TCP; so is one larger than the client can take,
#: which is ``SMALLEST_UDP`` where it does not say (RFC 6891).
LARGEST_UDP = 1232
SMALLEST_UDP = 512


class BadQuery(Exception):
    """Bytes that are no query."""


class Query(NamedTuple):
    """One question. ``name`` is lower case, without the last dot."""

    id: int
    recursion: bool
    name: str
    type: int
    question: bytes  # as it came, to be repeated in the answer
    udp_size: int = SMALLEST_UDP


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
    name = ".".join(labels)
    return Query(
        number, bool(flags & 0x0100), name, kind, data[12 : at + 4], _udp_size(data, at + 4)
    )


def _udp_size(data: bytes, at: int) -> int:
    """Return how large an answer the query's OPT record allows; an OPT of the root name, where clients put it, first."""
    extra = int.from_bytes(data[10:12], "big")
    if extra and data[at : at + 3] == b"\0\0\x29" and len(data) >= at + 5:
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        return min(max(size, SMALLEST_UDP), LARGEST_UDP)
    return SMALLEST_UDP


def make_query(number: int, name: str, kind: int) -> bytes:
    """Write a query that asks for recursion."""
    head = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0)
    return head + encode_name(name) + struct.pack("!HH", kind, 1)


def parse_addresses(data: bytes) -> list[Record]:
    """Read the A and CNAME records of an answer, to be told on. Raises ``BadQuery``."""
    try:
        questions, answers = struct.unpack("!HH", data[4:8])
        at = 12
        for _ in range(questions):
            _, at = _name(data, at)
            at += 4
        found = []
        for _ in range(answers):
            name, at = _name(data, at)
            kind, _, ttl, size = struct.unpack("!HHIH", data[at : at + 10])
            at += 10
            if kind == A and size == 4:
                found.append(Record(name, A, str(ipaddress.IPv4Address(data[at : at + 4])), ttl))
            elif kind == CNAME:
                found.append(Record(name, CNAME, _name(data, at)[0], ttl))
            at += size
    except (struct.error, IndexError, ValueError) as error:
        raise BadQuery("the answer is malformed") from error
    return found


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Read a name with compression; returns it and where it ends. Pointers only lead back, so it ends."""
    labels: list[str] = []
    end, limit = 0, at
    while size := data[at]:
        if size >= 0xC0:
            target = int.from_bytes(data[at : at + 2], "big") & 0x3FFF
            end = end or at + 2
            if target >= limit:
                raise ValueError("a pointer leads forward")
            at = limit = target
        elif size > 63 or len(labels) > 127:
            raise ValueError("a label is malformed")
        else:
            labels.append(data[at + 1 : at + 1 + size].decode("latin-1"))
            at += 1 + size
    return ".".join(labels), end or at + 1


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
            (b"\xc0\x0c" if record.name == query.name else encode_name(record.name))
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
