"""The systemd unit of a daemon. Pure: text from what it should run.

What hardens it is what the ``process`` runtime can do without. Workloads inherit the service's view of the machine, so
nothing takes away what they may need: namespaces, host names, sysctls of their network, devices, cgroups, programs with
another owner's rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

#: A unit without this line is somebody else's.
MARK = "# Written by reconciler"

#: What a daemon and its workloads never need: the kernel's modules, its clock, its log, its ports, its reboot.
_NEVER = (
    "CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_BOOT CAP_SYS_TIME CAP_SYSLOG CAP_MAC_ADMIN CAP_MAC_OVERRIDE "
    "CAP_WAKE_ALARM CAP_BLOCK_SUSPEND"
)

_SYSTEM = f"""\
StateDirectory=reconciler
StateDirectoryMode=0700
# /usr, /boot and /etc cannot be written, not by workloads either: ReadWritePaths= in a drop-in makes an exception.
ProtectSystem=full
ProtectKernelModules=yes
ProtectKernelLogs=yes
CapabilityBoundingSet=~{_NEVER}
KeyringMode=private
RestrictRealtime=yes
LockPersonality=yes
"""


class Service(NamedTuple):
    """What a unit runs: the command, its state directory, its configuration file. ``user``: in a user's own systemd."""

    command: tuple[str, ...]
    state_dir: Path
    config: Path | None = None
    user: bool = False

    def argv(self) -> list[str]:
        """Return the daemon's command line."""
        argv = [*self.command, "--state-dir", str(self.state_dir), "daemon"]
        return [*argv, "--config", str(self.config)] if self.config else argv


def unit(service: Service) -> str:
    """Return the text of the unit."""
    start = " ".join(quoted(word) for word in service.argv())
    after = "" if service.user else "Wants=network-online.target\nAfter=network-online.target\n"
    hardening = "" if service.user else _SYSTEM
    wanted_by = "default.target" if service.user else "multi-user.target"
    return f"""\
{MARK}; `reconciler uninstall{" --user" if service.user else ""}` removes it.
[Unit]
Description=reconciler: GitOps without a cluster
{after}
[Service]
Type=notify
NotifyAccess=main
ExecStart={start}
# A configuration with a mistake fails the reload and changes nothing.
ExecReload={start} --check-config
ExecReload=/bin/kill -HUP $MAINPID
# Workloads outlive the daemon: stopping, restarting or upgrading it ends the daemon alone.
KillMode=process
Delegate=yes
Restart=on-failure
RestartSec=1
TimeoutStartSec=120
TimeoutStopSec=30
WatchdogSec=30
LimitNOFILE=1048576
TasksMax=infinity
UMask=0077
{hardening}
[Install]
WantedBy={wanted_by}
"""


def quoted(word: str) -> str:
    r"""Write one argument as ExecStart takes it (systemd.service(5)): specifiers and variables are words here.

    >>> quoted("/srv/100% mine"), quoted("$HOME")
    ('"/srv/100%% mine"', '$$HOME')
    """
    if "\n" in word or "\0" in word:
        raise ValueError(f"{word!r} cannot stand in a unit")
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if not text or set(text) & set(" \t'\";\\") else text
