"""Quantities of resources, exact: ``100m``, ``1.5Gi``, ``2e3``. Nothing is rounded before it is asked for."""

from __future__ import annotations

import functools
import math
import re
from fractions import Fraction

_SUFFIXES: dict[str, Fraction] = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "P": Fraction(10**15), "E": Fraction(10**18),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
    "Pi": Fraction(2**50), "Ei": Fraction(2**60),
}  # fmt: skip
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]{1,3})|([numkMGTPE]|[KMGTPE]i))?\Z"
)


def parse(value: str | float) -> Fraction:
    """Return a quantity's exact value; raises ``ValueError`` that says what a quantity looks like.

    >>> parse("100m") * 10
    Fraction(1, 1)
    """
    return _parse(str(value))


#: Manifests say the same few again and again.
@functools.lru_cache(maxsize=4096)
def _parse(text: str) -> Fraction:
    match = _QUANTITY.match(text)
    if match is None or len(text) > 64:
        raise ValueError(f"{text[:64]!r} is not a quantity such as 500m, 1.5, 128Mi or 2Gi")
    number = Fraction(match[1])
    if match[2]:
        return number * Fraction(10) ** int(match[2][1:])
    return number * _SUFFIXES[match[3] or ""]


def millicores(value: str | float) -> int:
    """Return CPU in thousandths of a core, rounded up."""
    return math.ceil(parse(value) * 1000)


def size_bytes(value: str | float) -> int:
    """Return a size in bytes, rounded up."""
    return math.ceil(parse(value))
