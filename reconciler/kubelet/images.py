"""Names of images, as the distribution specification writes them. Pure (P24)."""

from __future__ import annotations

import re

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_NAME = rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[\w][\w.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"(?P<name>{_NAME})(?::{_TAG})?(?:@{_DIGEST})?", re.ASCII)
_LONGEST_NAME = 255


def is_reference(image: str) -> bool:
    """Whether a text names an image: ``[HOST[:PORT]/]NAME[:TAG][@DIGEST]``.

    >>> [is_reference(i) for i in ("nginx", "ghcr.io/a/b:1", "Nginx", "a b", "nginx:")]
    [True, True, False, False, False]
    """
    match = _REFERENCE.fullmatch(image)
    return match is not None and len(match["name"]) <= _LONGEST_NAME
