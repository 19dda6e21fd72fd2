"""Formats that a kube-apiserver asserts: base64 and times while it reads an object, the others of custom resources."""

from __future__ import annotations

import binascii
import ipaddress
import re
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\Z")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{1,2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
)


def is_base64(value: Any) -> bool:
    """Whether a string is base64 as Go reads it: padded, in the standard alphabet, line breaks skipped.

    >>> is_base64("YQ=="), is_base64("plain text")
    (True, False)
    """
    if not isinstance(value, str):
        return True
    try:
        binascii.a2b_base64(value.replace("\n", "").replace("\r", ""), strict_mode=True)
    except ValueError:
        return False
    return True


def is_time(value: Any) -> bool:
    """Whether a string is a time of RFC 3339."""
    if not isinstance(value, str):
        return True
    if not _TIME.match(value):
        return False
    try:
        datetime.fromisoformat(value[:19])
    except ValueError:
        return False
    return True


def _parsed(value: Any, parse: Callable[[str], object]) -> bool:
    if not isinstance(value, str):
        return True
    try:
        if "%" in value:  # a zone: not part of an address to Go
            return False
        parse(value)
    except ValueError:
        return False
    return True


def _is_ipv4(value: Any) -> bool:
    return _parsed(value, ipaddress.ip_address) and (
        "." in value if isinstance(value, str) else True
    )


def _is_ipv6(value: Any) -> bool:
    return _parsed(value, ipaddress.ip_address) and (
        ":" in value if isinstance(value, str) else True
    )


def _is_cidr(value: Any) -> bool:
    """Whether a string is an address and the length of its network's prefix, as Go reads it."""
    if not isinstance(value, str):
        return True
    _, slash, bits = value.partition("/")
    return (
        bool(slash) and bits.isascii() and bits.isdigit() and _parsed(value, ipaddress.ip_interface)
    )


def _is_date(value: Any) -> bool:
    return not isinstance(value, str) or (
        bool(_DATE.match(value)) and _parsed(value, date.fromisoformat)
    )


def _is_uuid(value: Any) -> bool:
    return not isinstance(value, str) or _UUID.match(value) is not None


#: name in a schema -> whether a value is one. Other formats (int32, int64, double) are said by type and bounds.
FORMATS = MappingProxyType(
    {
        "byte": is_base64, "date-time": is_time, "ipv4": _is_ipv4, "ipv6": _is_ipv6, "cidr": _is_cidr,
        "date": _is_date, "uuid": _is_uuid,
    }
)  # fmt: skip
