"""``network``: where the daemon listens, and which addresses Pods and Services get."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.loading import Mistake


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Addresses and ports; port 0 = any free one."""

    listen: str = "127.0.0.1"
    http_port: int = 8080
    https_port: int = 8443
    pod_cidr: str = msgspec.field(default="10.244.0.0/16", name="podCIDR")
    service_cidr: str = msgspec.field(default="10.96.0.0/12", name="serviceCIDR")

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what a schema cannot see."""
        try:
            ipaddress.ip_address(self.listen)
        except ValueError:
            yield ("listen",), f"{self.listen!r} is not an address: expected one as 127.0.0.1 or ::"
        ranges = []
        for field, text in (("podCIDR", self.pod_cidr), ("serviceCIDR", self.service_cidr)):
            try:
                ranges.append(ipaddress.IPv4Network(text))
            except ValueError as error:
                yield (field,), f"{error}: expected an IPv4 range as 10.244.0.0/16"
        if len(ranges) == 2 and ranges[0].overlaps(ranges[1]):
            yield (
                ("serviceCIDR",),
                f"{ranges[1]} and podCIDR {ranges[0]} overlap: choose disjoint ranges",
            )
