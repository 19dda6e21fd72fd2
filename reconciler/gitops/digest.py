"""The digest that stands for an object's content. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="deterministic").encode


def digest_of(value: Any) -> str:
    """Return a digest of JSON data, whatever the order of its keys: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(_encode(value)).hexdigest()[:32]
