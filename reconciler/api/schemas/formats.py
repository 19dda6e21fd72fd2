"""Formats that a kube-apiserver asserts while it reads an object: base64 and times."""

from __future__ import annotations

import binascii
import re
from datetime import datetime
from types import MappingProxyType
from typing import Any

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


#: name in a schema -> whether a value is one. Other formats (int32, int64, double) are said by type and bounds.
FORMATS = MappingProxyType({"byte": is_base64, "date-time": is_time})
