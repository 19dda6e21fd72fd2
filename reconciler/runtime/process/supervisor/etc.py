"""A Pod's own files below /etc."""

from __future__ import annotations

from typing import Any


def files(config: dict[str, Any], ip: str, host: str) -> dict[str, str]:
    """Return hosts, hostname and, where it has any lines, resolv.conf of a sandbox's configuration.

    ``host`` is the host's own /etc/hosts. A Pod in the host's network sees the host's files where it adds nothing.
    """
    hosts = _own_hosts(config, ip)
    aliases = [f"{a['ip']}\t{' '.join(a['hostnames'])}" for a in config["host_aliases"]]
    dns = config["dns"]
    lines = [f"nameserver {server}" for server in dns["servers"]]
    if dns["searches"]:
        lines.append("search " + " ".join(dns["searches"]))
    if dns["options"]:
        lines.append("options " + " ".join(dns["options"]))
    found = {}
    if not config["host_network"]:
        found = {"hosts": _text([*hosts, *aliases]), "hostname": config["hostname"] + "\n"}
    elif aliases:
        found = {"hosts": _text([*host.splitlines(), "# Entries added by HostAliases.", *aliases])}
    if lines:
        found["resolv.conf"] = _text(lines)
    return found


def _own_hosts(config: dict[str, Any], ip: str) -> list[str]:
    names, domain = config["hostname"], config["domain"]
    if domain:
        # The host name may be the full one already (setHostnameAsFQDN).
        names = names.removesuffix(f".{domain}")
        names = f"{names}.{domain}\t{names}"
    lines = ["# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost"]
    return [*lines, f"{ip}\t{names}"] if names else lines


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
