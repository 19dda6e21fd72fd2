"""Whom a Pod asks for names."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.kubelet.names import ClusterDNS, dns_config, warnings
from reconciler.runtime.cri import DNSConfig

HOST = DNSConfig(("192.0.2.53",), ("corp.example",))
DNS = ClusterDNS("10.96.0.10", "cluster.local", HOST, on_host="127.200.1.2")
CLUSTER = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example")


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "servers"),
    [
        ({}, ("10.96.0.10",)),
        ({"dnsPolicy": "ClusterFirstWithHostNet"}, ("10.96.0.10",)),
        ({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}, ("127.200.1.2",)),
        ({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, ()),
        ({"dnsPolicy": "Default"}, ()),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.9"]}}, ("192.0.2.9",)),
    ],
)  # fmt: skip
def test_the_policy_says_whom(spec: dict[str, Any], servers: tuple[str, ...]) -> None:
    """P43: none is the node's own resolv.conf; in the host's network the cluster is asked only where the Pod says so."""
    found = dns_config(pod(**spec), DNS)
    assert found.servers == servers
    asks_cluster = servers in (("10.96.0.10",), ("127.200.1.2",))
    assert found.searches == (CLUSTER if asks_cluster else ())
    assert not list(warnings(pod(**spec), DNS))


@pytest.mark.parametrize(
    ("spec", "dns"),
    [
        ({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}, DNS._replace(on_host="")),
        ({}, DNS._replace(server="")),
    ],
)
def test_without_a_name_server_the_hosts_is_asked_and_that_is_told(
    spec: dict[str, Any], dns: ClusterDNS
) -> None:
    assert dns_config(pod(**spec), dns) == DNSConfig()
    ((reason, told),) = warnings(pod(**spec), dns)
    assert reason == "MissingClusterDNS"
    policy = spec.get("dnsPolicy", "ClusterFirst")
    assert told == (
        'pod: "web_shop(u)". kubelet does not have ClusterDNS IP configured and cannot create Pod using '
        f'"{policy}" policy. Falling back to "Default" policy.'
    )
