"""Control groups: what a container may use and has used, and which processes are its. Version 1, version 2, or both.

A container's groups are a dict of paths by controller (``unified`` is the one of version 2, which may have none), as it
stands in the container's record: a later supervisor goes on with it. A host that lets us write none gives an empty one.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import limits, records

if TYPE_CHECKING:
    from collections.abc import Iterator

Groups = dict[str, str]

UNIFIED = "unified"
_CONTROLLERS = ("cpu", "cpuacct", "memory", "pids")
_ROOM = "reconciler-supervisor"
#: So long is waited for processes to be gone that were killed, in seconds: those in the kernel's hands take theirs.
_PATIENCE = 2.0


class Hierarchy:
    """Where the groups of one state directory's containers lie."""

    def __init__(self, name: str) -> None:
        """``name``: of the directory that is made for them in each hierarchy."""
        self.bases: Groups = {}
        self.version2: frozenset[str] = frozenset()
        mounts, own = _mounts(), _own()
        for controller in _CONTROLLERS:
            if controller in mounts and (base := _made(mounts[controller], own.get(controller, ""), name)):  # fmt: skip
                self.bases[controller] = base
        if UNIFIED in mounts:
            self._open_unified(mounts[UNIFIED], own.get(UNIFIED, ""), name)

    def _open_unified(self, mount: str, own: str, name: str) -> None:
        # An ordinary user may have been given a part; root takes its own beside all others, as container engines do.
        parent = Path(mount) if os.getuid() == 0 else Path(mount + own)
        wanted = [
            c for c in _words(parent / "cgroup.controllers") if c in ("cpu", "memory", "pids")
        ]
        if wanted and not _enable(parent, wanted):
            _make_room(parent)
            _enable(parent, wanted)
        base = _made(str(parent), "", name)
        if not base:
            return
        self.bases[UNIFIED] = base
        given = _words(Path(base) / "cgroup.controllers")
        if _enable(Path(base), [c for c in wanted if c in given]):
            self.version2 = frozenset(c for c in wanted if c in given)

    def enforces(self, controller: str) -> bool:
        """Whether ``cpu``, ``memory`` or ``pids`` can be limited here."""
        return controller in self.bases or controller in self.version2

    def make(self, key: str, asked: limits.Limits) -> Groups:
        """Make the groups of a container with its limits. Raises ``OSError`` for a limit that cannot be set."""
        groups: Groups = {}
        for controller, base in self.bases.items():
            path = Path(base) / key.replace("/", "_")
            path.mkdir(mode=0o755, exist_ok=True)
            groups[controller] = str(path)
        first = limits.version1(asked)
        for controller in first.keys() & groups.keys():
            _write_all(Path(groups[controller]), first[controller])
        second = limits.version2(asked)
        for controller in self.version2:
            _write_all(Path(groups[UNIFIED]), second[controller])
        if not asked.pids:  # a group that was not removed yet may be closed
            _let_fork(groups, "max")
        return groups

    def end(self) -> None:
        """Remove the empty hierarchy."""
        for base in self.bases.values():
            with contextlib.suppress(OSError):
                Path(base).rmdir()


def enter(groups: Groups, pid: int) -> None:
    """Put a process into its groups. Raises ``OSError``."""
    for path in groups.values():
        Path(path, "cgroup.procs").write_text(str(pid))


def doors(groups: Groups) -> list[int]:
    """Return open files through which a process puts itself into the groups, by writing ``0``."""
    return [os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for path in groups.values()]


def kill(groups: Groups) -> bool:
    """Kill every process of the groups, and wait until they are gone; returns whether all are."""
    present = [path for path in groups.values() if os.path.isdir(path)]  # noqa: PTH112 - called for every container's end
    if not present:
        return not groups
    # Without its mount: a path within the hierarchy, as far down as it is ours.
    ends = tuple("/" + "/".join(path.rsplit("/", 2)[1:]) for path in present)

    def is_member(pid: int) -> bool:
        return any(
            line.endswith(ends) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        )

    _let_fork(groups, "0")  # whoever forks faster than it is killed is at its end, too
    deadline = time.monotonic() + _PATIENCE
    while True:
        if UNIFIED in groups:
            with contextlib.suppress(OSError):
                Path(groups[UNIFIED], "cgroup.kill").write_text("1")
        alive = {pid for path in present for pid in _processes(path)}
        if not alive:
            return True
        if time.monotonic() > deadline:
            return False
        for pid in alive:
            records.kill(pid, is_member)
        # The one thread waits, and with it all that ask: what is killed is gone within milliseconds, and nobody may
        # hear of a container's end before all of it has ended.
        time.sleep(0.002)


def _let_fork(groups: Groups, number: str) -> None:
    """Bound the processes of groups, where they can be counted."""
    for controller in groups.keys() & {"pids", UNIFIED}:
        with contextlib.suppress(OSError):
            Path(groups[controller], "pids.max").write_text(number)


def was_oom_killed(groups: Groups) -> bool:
    """Tell whether the kernel killed a process of a container because it was over its memory limit."""
    if "memory" in groups:
        return _counts(Path(groups["memory"], "memory.oom_control")).get("oom_kill", 0) > 0
    if UNIFIED in groups:
        return _counts(Path(groups[UNIFIED], "memory.events")).get("oom_kill", 0) > 0
    return False


def usage(groups: Groups) -> tuple[int, int] | None:
    """Return (CPU time in nanoseconds, working set in bytes) of a container; None where its groups do not tell.

    The working set is the memory in use less the files that were not touched lately, as cAdvisor reckons it.
    """
    try:
        if "cpuacct" in groups and "memory" in groups:
            memory = Path(groups["memory"])
            cpu = int(Path(groups["cpuacct"], "cpuacct.usage").read_text())
            used = int((memory / "memory.usage_in_bytes").read_text())
            idle = _counts(memory / "memory.stat").get("total_inactive_file", 0)
            return cpu, max(used - idle, 0)
        if UNIFIED in groups:
            unified = Path(groups[UNIFIED])
            cpu = _counts(unified / "cpu.stat")["usage_usec"] * 1000
            used = int((unified / "memory.current").read_text())
            return cpu, max(used - _counts(unified / "memory.stat").get("inactive_file", 0), 0)
    except (OSError, ValueError, KeyError):
        return None
    return None


def remove(groups: Groups) -> bool:
    """Remove the empty groups; returns whether none is left (a process that is not reaped yet keeps one)."""
    left = False
    for path in groups.values():
        try:
            os.rmdir(path)  # noqa: PTH106 - its files are no entries
        except FileNotFoundError:
            continue
        except OSError:
            left = True
    return not left


def _mounts() -> Groups:
    """Return where hierarchies are mounted: by controller, and ``unified``."""
    found: Groups = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found.setdefault(UNIFIED, place)
        elif kind == "cgroup":
            for option in options.split(","):
                if option in _CONTROLLERS:
                    found.setdefault(option, place)
    return found


def _own() -> Groups:
    """Return this process's own group in each hierarchy."""
    found: Groups = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        for controller in [UNIFIED] if number == "0" else controllers.split(","):
            found[controller] = "" if path == "/" else path
    return found


def _made(mount: str, own: str, name: str) -> str:
    """Make a directory below a process's own group; returns it, empty where that is not allowed.

    A group whose path is not to be seen from here (a namespace in between) is that of the mount.
    """
    parent = Path(mount + own)
    base = (parent if parent.is_dir() else Path(mount)) / name
    try:
        base.mkdir(mode=0o755, exist_ok=True)
        return str(base) if os.access(base / "cgroup.procs", os.W_OK) else ""
    except OSError:
        return ""


def _enable(group: Path, controllers: list[str]) -> bool:
    """Let the children of a group have controllers; returns whether they do."""
    for controller in controllers:
        with contextlib.suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}")
    return set(controllers) <= set(_words(group / "cgroup.subtree_control"))


def _make_room(group: Path) -> None:
    """Move the processes of a group that was delegated to us into a child: one with processes has no controllers to give."""
    if os.getuid() == 0:
        return
    room = group / _ROOM
    with contextlib.suppress(OSError):
        room.mkdir(exist_ok=True)
        for pid in _processes(str(group)):
            (room / "cgroup.procs").write_text(str(pid))


def _write_all(group: Path, files: limits.Files) -> None:
    for name, value in files.items():
        try:
            (group / name).write_text(value)
        except FileNotFoundError:
            # Kernels without swap accounting have no such file.
            if "swap" not in name and "memsw" not in name and "oom.group" not in name:
                raise


def _processes(group: str) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from map(int, Path(group, "cgroup.procs").read_text().split())


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _counts(path: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, number = line.partition(" ")
        if number.isdecimal():
            found[name] = int(number)
    return found
