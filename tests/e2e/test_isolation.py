"""What a Pod is given and kept from, through the command line: as root, and as an ordinary user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.machine import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

_SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: "%s"}
"""
_SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {motd: hello}
"""
_RESTRICTED = """\
apiVersion: v1
kind: Pod
metadata: {name: restricted}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 4242, runAsGroup: 4343, fsGroup: 4444, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: main
      image: app
      command: [sleep, "3600"]
      securityContext:
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: login, mountPath: /run/login}
        - {name: settings, mountPath: /opt/settings}
        - {name: cache, mountPath: /var/cache/app}
        - {name: cache, mountPath: /srv/part, subPathExpr: $(HOSTNAME)/deep}
        - {name: memory, mountPath: /no-such/memory}
  volumes:
    - {name: login, secret: {secretName: login, defaultMode: 0400}}
    - {name: settings, configMap: {name: settings}}
    - {name: cache, emptyDir: {}}
    - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
"""
_ROOT = """\
apiVersion: v1
kind: Pod
metadata: {name: rooted}
spec:
  containers: [{name: main, image: app, command: [sleep, "3600"], securityContext: {runAsNonRoot: true, runAsUser: 0}}]
"""


def _write(machine: Machine, **texts: str) -> Path:
    folder = machine.work / "app"
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
        if machine.user is not None:
            os.chown(folder / f"{name}.yaml", machine.user, machine.user)
    return folder


def _inside(machine: Machine, script: str) -> list[str]:
    return machine.run("exec", "restricted", "--", "sh", "-c", script).stdout.splitlines()


def test_a_restricted_pod_has_what_it_asked_for_and_nothing_else(machine: Machine) -> None:
    folder = _write(machine, secret=_SECRET % "open-sesame-1", settings=_SETTINGS, pod=_RESTRICTED)
    machine.up(folder)
    assert _inside(machine, "id -u; id -g; grep NoNewPrivs /proc/self/status | cut -f2") == [
        "4242",
        "4343",
        "1",
    ]
    script = (
        "for place in /tmp /etc /opt/settings /run/login /var/cache/app /srv/part /no-such/memory; do"
        " (echo x > $place/written) 2>/dev/null && echo $place; done;"
        f"cat /opt/settings/motd; echo; ls -A {machine.state}; ls /var/cache/app/restricted"
    )
    assert _inside(machine, script) == [
        "/var/cache/app",
        "/srv/part",
        "/no-such/memory",
        "hello",
        "deep",
    ]


def test_a_secret_never_touches_the_disk_and_stays_current(machine: Machine) -> None:
    """C08, P27: in memory, changed in place, and there again for whoever starts the daemon anew."""
    folder = _write(machine, secret=_SECRET % "open-sesame-1", settings=_SETTINGS, pod=_RESTRICTED)
    machine.up(folder)
    assert _inside(machine, "cat /run/login/password; echo; stat -f -c %T /run/login") == [
        "open-sesame-1",
        "tmpfs",
    ]
    _write(machine, secret=_SECRET % "open-sesame-2")
    eventually(lambda: _inside(machine, "cat /run/login/password") == ["open-sesame-2"])
    os.kill(machine.daemon_pid(), 9)
    machine.up(folder)
    assert _inside(machine, "cat /run/login/password") == ["open-sesame-2"]
    _write(machine, secret=_SECRET % "open-sesame-3")
    eventually(lambda: _inside(machine, "cat /run/login/password") == ["open-sesame-3"])
    written = [
        path for path in (machine.state / "pods").rglob("*")
        if path.is_file() and b"open-sesame" in path.read_bytes()
    ]  # fmt: skip
    assert not written


def test_a_pod_that_must_not_be_root_says_why_it_does_not_start(machine: Machine) -> None:
    machine.run(
        "up", _write(machine, pod=_ROOT), "--detach", "--http-port", "0", "--https-port", "0"
    )

    def waiting() -> dict[str, Any]:
        (pod,) = machine.pods()
        statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
        return dict(statuses[0].get("state", {}).get("waiting") or {})

    eventually(lambda: waiting().get("reason") == "CreateContainerConfigError")
    assert waiting()["message"].startswith("container's runAsUser breaks non-root policy (pod: ")


_SHOWN = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; hostname; exit 3"


def test_a_pod_is_looked_at_from_a_container_of_its_own(machine: Machine) -> None:
    """KEP-277: it sees the Pod's processes and its name; it ends with its command, or with the shell that was opened in it."""
    folder = _write(machine, secret=_SECRET % "s", settings=_SETTINGS, pod=_RESTRICTED)
    machine.up(folder)
    seen = machine.run(
        "debug", "restricted", "--profile", "baseline", "--", "sh", "-c", _SHOWN, check=3
    )
    assert "sleep 3600" in seen.stdout
    assert seen.stdout.splitlines()[-1] == "restricted"
    shell = machine.run(
        "debug", "restricted", "-i", "-c", "shell", "--target", "main", "--env", "A=b c",
        given="echo $A; exit 4", check=4,
    )  # fmt: skip
    assert shell.stdout == "b c\n"

    def ended() -> bool:
        (pod,) = machine.pods()
        states = [s["state"] for s in pod["status"]["ephemeralContainerStatuses"]]
        return [s.get("terminated", {}).get("exitCode") for s in states] == [3, 0]

    eventually(ended)
    told = machine.run("debug", "restricted", "-c", "main", "--", "true", check=1)
    assert "ephemeralContainers[2].name: Duplicate value" in told.stderr
    missing = machine.run("debug", "restricted", "-c", "none", "--", "no-such-program", check=1)
    assert "none: RunContainerError: no-such-program: command not found" in missing.stderr
    assert machine.run("logs", "restricted", "-c", "shell").stdout.strip().isdigit()
