"""The digest of a rendered set. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def set_digest(digests: Iterable[str]) -> str:
    """Return what stands for a set of objects, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()[:32]
