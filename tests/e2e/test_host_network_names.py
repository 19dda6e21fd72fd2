"""A Pod in the host's network that asks the cluster for names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import eventually

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

SET = """\
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {ports: [{port: 5432}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec:
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: app:1
      command: [sh, -c, "getent ahostsv4 db | head -1; cat /etc/resolv.conf; echo end; exec sleep 1000"]
"""


def may_bind_53(machine: Machine) -> bool:
    least = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    return machine.user is None or least <= 53


def test_it_finds_services_by_name_or_is_told_why_not(machine: Machine) -> None:
    folder = machine.work / "set"
    folder.mkdir()
    (folder / "set.yaml").write_text(SET)
    machine.up(folder)
    lines = eventually(
        lambda: (out := machine.run("logs", "agent").stdout.splitlines())[-1] == "end" and out
    )
    events = machine.run("events", "--for", "pod/agent").stdout
    if may_bind_53(machine):
        address = machine.json("get", "service", "db")["spec"]["clusterIP"]
        assert lines[0].split()[0] == address
        assert any(line.startswith("nameserver 127.") for line in lines)
        assert "search default.svc.cluster.local" in "\n".join(lines)
        assert "MissingClusterDNS" not in events
    else:
        assert "MissingClusterDNS" in events
        assert lines[:-1] == Path("/etc/resolv.conf").read_text().splitlines()
