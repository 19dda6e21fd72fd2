"""What must not stand in a log: values under names of secrets, and credentials inside of URLs and headers. Pure."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "[redacted]"

_NAMES = re.compile(
    r"(?i)passw|secret_?(?:key|value|data)|private_?key|api_?key|credential|authorization|cookie|^secret$|(?:^|_)token$"
)
#: user:password@ of a URL, and a token that stands in the user's place.
_URL = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")


def redacted(name: str, value: Any) -> Any:
    """Return a value as a log may show it; nested mappings and lists are looked through.

    >>> redacted("url", "https://me:hunter2@git.example/app.git")
    'https://[redacted]@git.example/app.git'
    >>> redacted("password", "hunter2")
    '[redacted]'
    """
    if _NAMES.search(name) and value not in (None, "", True, False):
        return HIDDEN
    if isinstance(value, str):
        return _HEADER.sub(rf"\1 {HIDDEN}", _URL.sub(rf"\g<scheme>{HIDDEN}@", value))
    if isinstance(value, dict):
        return {k: redacted(str(k), v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted("", v) for v in value]
    if isinstance(value, BaseException):
        return redacted("", str(value))
    return value
