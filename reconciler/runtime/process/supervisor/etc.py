"""A Pod's own files below /etc."""

from __future__ import annotations

from typing import Any


def files(config: dict[str, Any], ip: str) -> dict[str, str]:
    """Return hosts, hostname and, where it has any lines, resolv.conf of a sandbox's configuration."""
    names = config["hostname"]
    if config["domain"]:
        names = f"{config['hostname']}.{config['domain']}\t{names}"
    hosts = ["# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost"]
    if names:
        hosts.append(f"{ip}\t{names}")
    hosts += [f"{a['ip']}\t{' '.join(a['hostnames'])}" for a in config["host_aliases"]]
    dns = config["dns"]
    lines = [f"nameserver {server}" for server in dns["servers"]]
    if dns["searches"]:
        lines.append("search " + " ".join(dns["searches"]))
    if dns["options"]:
        lines.append("options " + " ".join(dns["options"]))
    found = {"hosts": "\n".join(hosts) + "\n", "hostname": config["hostname"] + "\n"}
    if lines:
        found["resolv.conf"] = "\n".join(lines) + "\n"
    return found
