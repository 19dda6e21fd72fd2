"""``HOST:PORT`` as a listener is told."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class Address(NamedTuple):
    """Where to listen; ``port`` 0 = any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``127.0.0.1:9464``, ``[::1]:9464`` or ``:9464`` (every address). Raises ``ValueError``.

    >>> str(parse_address("[::1]:9464")), parse_address(":80").host
    ('[::1]:9464', '0.0.0.0')
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r}: expected ADDRESS:PORT as 127.0.0.1:9464")
    host = host.removeprefix("[").removesuffix("]") or "0.0.0.0"  # noqa: S104 - what `:PORT` says
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise ValueError(f"{error}: expected ADDRESS:PORT as 127.0.0.1:9464") from error
    return Address(host, int(port))
