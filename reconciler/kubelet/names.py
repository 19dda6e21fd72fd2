"""What a Pod is called, and where it asks for names. Pure (P42, P43)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import DNSConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.api.objects import Object

#: A kernel takes no longer host name, in characters.
LONGEST_HOSTNAME = 64
#: What a resolver takes: name servers, search domains, and their length together in characters.
MOST_SERVERS = 3
MOST_SEARCHES = 32
LONGEST_SEARCHES = 2048


class ClusterDNS(NamedTuple):
    """Where Pods ask for names. ``server`` empty = no cluster DNS; ``host`` is the node's own resolv.conf.

    ``on_host`` is where Pods in the host's network reach the cluster's name server; empty = nowhere.
    """

    server: str = "10.96.0.10"
    domain: str = "cluster.local"
    host: DNSConfig = DNSConfig()
    on_host: str = ""


def hostname(pod: Object) -> str:
    """Return a Pod's host name: its own, or its name cut to 63 characters."""
    spec = pod.get("spec") or {}
    own = spec.get("hostnameOverride") or spec.get("hostname")
    return str(own or pod["metadata"]["name"][:63].rstrip("-."))


def domain(pod: Object, cluster_domain: str) -> str:
    """Return what follows the host name in the Pod's full name; empty without a ``subdomain``."""
    spec = pod.get("spec") or {}
    if not spec.get("subdomain") or spec.get("hostnameOverride"):
        return ""
    return f"{spec['subdomain']}.{pod['metadata']['namespace']}.svc.{cluster_domain}"


def kernel_hostname(pod: Object, cluster_domain: str) -> str:
    """Return what ``hostname`` says in the Pod. Raises ``RuntimeFailure`` where its full name is too long for it."""
    name, rest = hostname(pod), domain(pod, cluster_domain)
    if not rest or not (pod.get("spec") or {}).get("setHostnameAsFQDN"):
        return name
    full = f"{name}.{rest}"
    if len(full) > LONGEST_HOSTNAME:
        raise RuntimeFailure(
            f"Failed to construct FQDN from Pod hostname and cluster domain, FQDN {full} is too long "
            f"({LONGEST_HOSTNAME} characters is the max, {len(full)} characters requested)",
            reason="FailedCreatePodSandBox",
        )
    return full


def dns_config(pod: Object, dns: ClusterDNS) -> DNSConfig:
    """Return the lines of a Pod's resolv.conf; none where it sees its node's own.

    A Pod in the host's network asks whom the host asks, unless it says ``ClusterFirstWithHostNet``.
    """
    return _fitting(_wanted(pod, dns))


def warnings(pod: Object, dns: ClusterDNS) -> Iterator[tuple[str, str]]:
    """Yield, in the kubelet's words (reason and message), what a Pod's resolv.conf lacks of what it asks for."""
    if _asks_cluster(pod) and not _server(pod, dns):
        meta = pod["metadata"]
        yield (
            "MissingClusterDNS",
            (
                f'pod: "{meta["name"]}_{meta["namespace"]}({meta["uid"]})". kubelet does not have ClusterDNS IP '
                f'configured and cannot create Pod using "{_policy(pod)}" policy. Falling back to "Default" policy.'
            ),
        )
    wanted = _wanted(pod, dns)
    applied = _fitting(wanted)
    if applied.servers != wanted.servers:
        yield (
            "DNSConfigForming",
            (
                "Nameserver limits were exceeded, some nameservers have been omitted, "
                f"the applied nameserver line is: {' '.join(applied.servers)}"
            ),
        )
    if applied.searches != wanted.searches:
        yield (
            "DNSConfigForming",
            (
                "Search Line limits were exceeded, some search paths have been omitted, "
                f"the applied search line is: {' '.join(applied.searches)}"
            ),
        )


def _wanted(pod: Object, dns: ClusterDNS) -> DNSConfig:
    own = pod["spec"].get("dnsConfig") or {}
    server = _server(pod, dns)
    if _policy(pod) == "None":
        base = DNSConfig()
    elif _asks_cluster(pod) and server:
        inside = (f"{pod['metadata']['namespace']}.svc.{dns.domain}", f"svc.{dns.domain}")
        base = DNSConfig(
            (server,), (*inside, dns.domain, *dns.host.searches), ("ndots:5",)
        )  # fmt: skip
    elif own:
        base = dns.host
    else:
        return DNSConfig()
    return DNSConfig(
        _unique((*base.servers, *(own.get("nameservers") or ()))),
        _unique((*base.searches, *(own.get("searches") or ()))),
        _merged(base.options, own.get("options") or ()),
    )


def _policy(pod: Object) -> str:
    return str(pod["spec"].get("dnsPolicy") or "ClusterFirst")


def _asks_cluster(pod: Object) -> bool:
    if pod["spec"].get("hostNetwork"):
        return _policy(pod) == "ClusterFirstWithHostNet"
    return _policy(pod).startswith("ClusterFirst")


def _server(pod: Object, dns: ClusterDNS) -> str:
    return dns.on_host if pod["spec"].get("hostNetwork") else dns.server


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def _merged(options: Iterable[str], own: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Return the options; the Pod's own take the place of those of the same name."""
    found = {option.partition(":")[0]: option for option in options}
    for option in own:
        value = option.get("value")
        found[option["name"]] = f"{option['name']}:{value}" if value else option["name"]
    return tuple(found.values())


def _fitting(config: DNSConfig) -> DNSConfig:
    searches: list[str] = []
    for one in config.searches[:MOST_SEARCHES]:
        if len(" ".join([*searches, one])) > LONGEST_SEARCHES:
            break
        searches.append(one)
    return config._replace(servers=config.servers[:MOST_SERVERS], searches=tuple(searches))


def parse_resolv_conf(text: str) -> DNSConfig:
    r"""Read a resolv.conf(5); of several ``search`` or ``domain`` lines the last counts.

    >>> parse_resolv_conf("nameserver 9.9.9.9\nsearch a.example b.example\noptions ndots:2 rotate")
    DNSConfig(servers=('9.9.9.9',), searches=('a.example', 'b.example'), options=('ndots:2', 'rotate'))
    """
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        match words:
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *names]:
                searches = tuple(name for name in names if name != ".")
            case ["options", *found]:
                options += found
    return DNSConfig(_unique(servers), _unique(searches), _unique(options))
