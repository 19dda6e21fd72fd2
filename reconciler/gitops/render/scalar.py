"""Scalars without quotes, as sigs.k8s.io/yaml (go-yaml v2, YAML 1.1) reads them. Pure."""

from __future__ import annotations

import base64
import binascii
import functools
import math
import re

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}  # fmt: skip
_NUMERIC = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(0[bB][01]+|0[oO][0-7]+|0[xX][0-9a-fA-F]+|[0-9]+)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_NOT_JSON = frozenset({".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"})
_BASES = {"0b": 2, "0o": 8, "0x": 16}

#: Integers beyond these are floating point numbers, as in Go's int64 and uint64.
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1
_CORE = "tag:yaml.org,2002:"


class NotJson(ValueError):
    """A value that JSON cannot hold."""


def plain(text: str) -> object:
    """Read a scalar without quotes. Raises ``NotJson`` for infinities and what is not a number.

    >>> plain("on"), plain("0o17"), plain("010"), plain("1e3"), plain("12:30"), plain("2001-01-01")
    (True, 15, 8, 1000, '12:30', '2001-01-01')
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    number = text.replace("_", "")
    if _INTEGER.match(number):
        whole = _integer(number)
        if whole is not None:
            return whole
    if _FLOAT.match(number):
        value = float(number)
        if math.isinf(value):
            return text
        # Go writes a whole float into JSON without a point: it becomes an integer again.
        return int(value) if value.is_integer() and _LOWEST <= value < 2**63 else value
    if text.lstrip("+-") in _NOT_JSON:
        raise NotJson(f"{text} is not a number that JSON can hold")
    return text


#: The same for short texts, of which a set of manifests has few that differ. Longer ones would fill the memory.
SHORT = 64
short = functools.lru_cache(maxsize=8192)(plain)


@functools.lru_cache(maxsize=8192)
def is_text(text: str) -> bool:
    """Whether a short scalar without quotes is text, as nearly every key is."""
    try:
        return isinstance(plain(text), str)
    except NotJson:
        return False


def _integer(number: str) -> int | None:
    digits = number.lstrip("+-")
    base = _BASES.get(digits[:2].lower())
    if base is not None:
        digits = digits[2:]
    elif len(digits) > 1 and digits[0] == "0":
        base = 8
    else:
        base = 10
    if len(digits) > 70:
        return None  # far beyond 64 bits in every base
    try:
        value = int(digits, base)
    except ValueError:
        return None  # 08: no octal number, but a float in Go
    value = -value if number[0] == "-" else value
    return value if _LOWEST <= value <= _HIGHEST else None


def tagged(tag: str, text: str) -> object:
    """Read a scalar with an explicit tag; one that only an application knows leaves text. Raises ``NotJson``."""
    if tag == _CORE + "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise NotJson("!!binary must hold base64 of UTF-8 text") from error
    if tag in (_CORE + "int", _CORE + "float", _CORE + "bool", _CORE + "null"):
        return plain(text)
    return text
