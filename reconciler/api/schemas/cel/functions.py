"""Functions that Kubernetes adds to CEL: URLs, quantities, addresses, and what lists can be asked.

A URL or a quantity is a map here, which rules only hand to these functions. ``find`` and ``findAll`` are left out: their patterns
would be matched in exponential time. A function that is not here makes its rule one that is not evaluated.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reconciler.api import quantities

if TYPE_CHECKING:
    from collections.abc import Callable

_AMOUNT = "quantity"
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


def extension(cel: Any) -> Any:
    """Return the functions as the library takes them."""
    kinds = cel.Type
    text, truth, whole, any_, many = kinds.STRING, kinds.BOOL, kinds.INT, kinds.DYN, kinds.LIST
    free: list[tuple[str, Callable[..., Any], list[Any], Any]] = [
        ("isURL", is_url, [text], truth),
        ("url", url, [text], any_),
        ("isQuantity", is_quantity, [text], truth),
        ("quantity", quantity, [text], any_),
        ("isIP", is_ip, [text], truth),
        ("isCIDR", is_cidr, [text], truth),
    ]
    member: list[tuple[str, Callable[..., Any], list[Any], Any]] = [
        *((f"get{p}", _part(p), [any_], text)
          for p in ("Scheme", "Host", "Hostname", "Port", "EscapedPath")),
        ("isGreaterThan", lambda a, b: _amount(a) > _amount(b), [any_, any_], truth),
        ("isLessThan", lambda a, b: _amount(a) < _amount(b), [any_, any_], truth),
        ("compareTo", lambda a, b: _sign(_amount(a) - _amount(b)), [any_, any_], whole),
        ("sign", lambda a: _sign(_amount(a)), [any_], whole),
        ("add", lambda a, b: _held(_amount(a) + _amount(b)), [any_, any_], any_),
        ("sub", lambda a, b: _held(_amount(a) - _amount(b)), [any_, any_], any_),
        ("isInteger", lambda a: _amount(a).denominator == 1, [any_], truth),
        ("asInteger", as_integer, [any_], whole),
        ("asApproximateFloat", lambda a: float(_amount(a)), [any_], kinds.DOUBLE),
        ("isSorted", is_sorted, [many], truth),
        ("sum", sum, [many], any_),
        ("min", min, [many], any_),
        ("max", max, [many], any_),
        ("indexOf", lambda items, one: items.index(one) if one in items else -1, [many, any_], whole),
    ]  # fmt: skip
    declared: dict[str, list[Any]] = {}
    for is_member, rows in ((False, free), (True, member)):
        for name, function, parameters, result in rows:
            # The name of an overload is unique in all that is loaded.
            overload = cel.Overload(
                f"kubernetes_{name}_{len(parameters)}", return_type=result,
                parameters=parameters, is_member=is_member, impl=function,
            )  # fmt: skip
            declared.setdefault(name, []).append(overload)
    functions = [cel.FunctionDecl(name, overloads) for name, overloads in declared.items()]
    return cel.CelExtension("kubernetes", functions)


def is_url(text: str) -> bool:
    """Whether a text is an absolute URL, or an absolute path, as Go's ``url.ParseRequestURI`` reads it.

    >>> is_url("https://example.org/a"), is_url("/a"), is_url("example.org")
    (True, True, False)
    """
    if not text.startswith("/") and not _SCHEME.match(text):
        return False
    if any(c <= " " or c == "\x7f" for c in text):
        return False
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it is the port that is parsed
    except ValueError:
        return False
    return bool(parts.scheme or text.startswith("/"))


def url(text: str) -> dict[str, str]:
    """Return the parts of a URL. Raises ``ValueError`` for what is none."""
    if not is_url(text):
        raise ValueError("this is no URL")
    parts = urlsplit(text)
    port = "" if parts.port is None else str(parts.port)
    return {
        "Scheme": parts.scheme,
        "Host": parts.netloc.rpartition("@")[2],
        "Hostname": parts.hostname or "",
        "Port": port,
        "EscapedPath": parts.path,
    }


def _part(name: str) -> Callable[[dict[str, str]], str]:
    return lambda given: given[name]


def is_quantity(text: str) -> bool:
    """Whether a text is a quantity, as 1.5Gi."""
    try:
        quantities.parse(text)
    except ValueError:
        return False
    return True


def quantity(text: str) -> dict[str, str]:
    """Return a quantity as rules hold it: two equal ones are equal. Raises ``ValueError``."""
    return _held(quantities.parse(text))


def _held(amount: Fraction) -> dict[str, str]:
    return {_AMOUNT: str(amount)}


def _amount(given: dict[str, str] | int) -> Fraction:
    return Fraction(given) if isinstance(given, int) else Fraction(given[_AMOUNT])


def _sign(amount: Fraction) -> int:
    return (amount > 0) - (amount < 0)


def as_integer(given: dict[str, str]) -> int:
    """Return a quantity as a whole number. Raises ``ValueError`` where it is none of 64 bits."""
    amount = _amount(given)
    if amount.denominator != 1 or not -(2**63) <= amount < 2**63:
        raise ValueError("this quantity is no whole number")
    return int(amount)


def is_ip(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_cidr(text: str) -> bool:
    """Whether a text is an address with the length of its prefix."""
    address, slash, length = text.partition("/")
    if not (slash and length.isascii() and length.isdigit() and is_ip(address)):
        return False
    return int(length) <= ipaddress.ip_address(address).max_prefixlen


def is_sorted(items: list[Any]) -> bool:
    """Whether each item is not less than the one before it."""
    return all(not after < before for before, after in itertools.pairwise(items))
