"""A container's own view of the file system: the host's, with volumes at their paths and without what is not its own."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Any

from . import devices, mountapi
from . import namespaces as ns

#: What container runtimes hide from a container and what they let it only read (containerd's lists).
MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
#: Mounts of their own in every container, so not of its root file system.
_STAYS_WRITABLE = ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")  # noqa: S108
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys")


def _nearest(path: str) -> str:
    while not os.path.lexists(path):
        path = os.path.dirname(path)  # noqa: PTH120 - strings: this runs between fork and exec
    return path


def _touch(path: str, *, directory: bool) -> None:
    if directory:
        Path(path).mkdir(mode=0o755, parents=True, exist_ok=True)
    else:
        Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        Path(path).touch()


def _mimic(directory: str, staging: str) -> None:
    """Lay a tmpfs over a directory and bind its entries again, so that new ones can be made."""
    ns.mount("tmpfs", staging, "tmpfs", ns.MS_NOSUID | ns.MS_NODEV)
    os.chmod(staging, 0o755)  # noqa: S103, PTH101
    for entry in os.scandir(directory):
        target = f"{staging}/{entry.name}"
        if entry.is_symlink():
            Path(target).symlink_to(Path(entry.path).readlink())
            continue
        _touch(target, directory=entry.is_dir())
        try:
            ns.mount(entry.path, target, "", ns.MS_BIND | ns.MS_REC)
        except OSError:
            continue  # what this user may not see
    if directory == "/":
        ns.pivot_root(staging)
    else:
        ns.mount(staging, directory, "", ns.MS_BIND | ns.MS_REC)


def _within(path: str, directories: list[str]) -> str:
    """Return the innermost of these directories that a path lies in, or ""."""
    found = [d for d in directories if path == d or path.startswith(d.rstrip("/") + "/")]
    return max(found, key=len, default="")


def source(mount: dict[str, Any]) -> int:
    """Open what shall be mounted (O_PATH), making what is missing of a subPath. Raises ``OSError``.

    A subPath cannot lead out of its volume, even while somebody swaps links in it.
    """
    root = os.open(mount["from"], os.O_PATH | os.O_CLOEXEC)
    inside = mount.get("sub_path") or ""
    if not inside:
        return root
    try:
        # As the kubelet does it: what is missing becomes a directory with the mode of the volume's own.
        return mountapi.make_beneath(root, inside, mode=os.fstat(root).st_mode & 0o7777)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        if error.errno == errno.EXDEV:
            why = "it leads out of its volume"
        raise OSError(error.errno, f"subPath {inside!r} cannot be mounted: {why}") from None
    finally:
        os.close(root)


class _Volume:
    """A mount on its way to its place. ``hold`` comes first: another mount or a new root may hide its source."""

    def __init__(self, mount: dict[str, Any]) -> None:
        self.asked = mount
        self.to = os.path.normpath(mount["to"])
        self.tree = -1
        self.directory = True

    def hold(self, users: int) -> None:
        """Copy its source's mounts, and settle who may write, as whom, and what mounts of others come through.

        ``users``: the user namespace whose ids its files shall have, or -1.
        """
        place = source(self.asked)
        try:
            self.tree = mountapi.clone_tree(place, self.asked["from"])
        finally:
            os.close(place)
        self.directory = mountapi.is_directory(self.tree)
        if users >= 0:
            try:
                mountapi.map_ids(self.tree, users)
            except OSError as error:
                raise OSError(
                    error.errno,
                    f"{self.to} cannot be mounted with hostUsers: false: the file system of {self.asked['from']} maps no ids",
                ) from None
        if self.asked.get("propagation"):
            mountapi.propagate(self.tree, mountapi.MS_SLAVE)
        if self.asked["readonly"]:
            _forbid_writing(self.tree, recursive=bool(self.asked.get("recursive")))

    def put(self, target: int) -> None:
        mountapi.move_tree(self.tree, target, self.to)


def build(view: dict[str, Any], staging: str, users: int = -1) -> None:
    """Enter a private mount namespace that shows what ``view`` says to a user namespace; raises ``OSError``.

    ``view``: ``mounts`` (``to``, ``from``, ``sub_path``, ``readonly``, ``recursive``, ``propagation``), ``hidden`` paths,
    ``own_devices`` (a /dev of its own), ``private`` directories (empty ones instead of the host's), ``masked`` (what of /proc
    and /sys no container needs), ``read_only_root`` and what of it stays ``writable``.
    """
    os.umask(0o022)  # mount points are for every user to pass
    ns.unshare(ns.NEWNS)
    volumes = [_Volume(mount) for mount in sorted(view["mounts"], key=lambda m: len(m["to"]))]
    for volume in volumes:
        if volume.asked.get("propagation"):
            volume.hold(users)  # while it is still a peer of the host's
    ns.mount("none", "/", "", ns.MS_REC | ns.MS_PRIVATE)
    for volume in volumes:
        if not volume.asked.get("propagation"):
            volume.hold(users)
    if view.get("own_devices"):
        devices.lay()
    outer, nested = _mount_points(volumes, staging, view.get("private") or [])
    if view.get("masked"):
        _mask()
    for path in view.get("hidden") or ():
        _hide(path)
    if view.get("read_only_root"):
        _set_readonly("/")
        for path in (*_STAYS_WRITABLE, *(view.get("writable") or ())):
            _set_writable(path)
    for target, volume in outer.items():
        _put(volume, target)
    for volume in nested:
        _nest(volume, outer)


def _mount_points(
    volumes: list[_Volume], staging: str, private: list[str]
) -> tuple[dict[str, _Volume], list[_Volume]]:
    """Make what is missing for volumes; returns them by where they go, and those that lie in another's.

    ``private`` directories are laid over the host's on the way: what lies in them is new.
    """
    outer: dict[str, _Volume] = {}
    nested: list[_Volume] = []
    mimicked: set[str] = set()
    for volume in volumes:
        target = volume.to if _within(volume.to, private) else os.path.realpath(volume.to)
        if _within(target, [t for t in outer if t != target]):
            nested.append(volume)
            continue
        if not _within(target, private) and not os.path.lexists(target):
            base = _nearest(target)
            if base not in mimicked:
                _mimic(base, staging)
                mimicked.add(base)
            _touch(target, directory=volume.directory)
        outer[target] = volume
    for path in private:
        if os.path.isdir(path):  # noqa: PTH112 - as above
            mode = stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116
            ns.mount("tmpfs", path, "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, f"mode={mode:o}")
    for target, volume in outer.items():
        if _within(target, private):
            _touch(target, directory=volume.directory)
    return outer, nested


def _put(volume: _Volume, target: str) -> None:
    place = os.open(target, os.O_PATH | os.O_CLOEXEC)
    volume.put(place)
    os.close(place)


def _nest(volume: _Volume, placed: dict[str, _Volume]) -> None:
    """Mount one inside another, whose content may be anybody's: nothing is made or mounted outside of that."""
    target = os.path.realpath(volume.to)
    around = _within(target, list(placed))
    if not around or around == target:
        if not os.path.lexists(target):
            raise OSError(
                errno.ENOENT,
                f"mountPath {volume.to}: a link in a volume leads to {target}, which is missing",
            )
        _put(volume, target)
        return
    inside = target[len(around) :].lstrip("/")
    # The volume's own mount, as it stands in this view with what is mounted in it by now.
    root = os.open(around, os.O_PATH | os.O_CLOEXEC)
    place = mountapi.make_beneath(root, inside, directory=volume.directory)
    os.close(root)
    volume.put(place)
    os.close(place)
    placed[target] = volume


def _set_readonly(path: str) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _forbid_writing(place, recursive=True)
    finally:
        os.close(place)


def _set_writable(path: str) -> None:
    """Undo it for one mount; what the host itself mounted read-only stays so."""
    if os.path.ismount(path):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        with contextlib.suppress(PermissionError):
            mountapi.make_writable(place)
        os.close(place)


def _forbid_writing(tree: int, *, recursive: bool) -> None:
    try:
        mountapi.make_readonly(tree, recursive=recursive)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise OSError(error.errno, "read-only mounts need Linux 5.12") from None
        raise


def _hide(path: str) -> None:
    """Show an empty directory, or an empty device, in place of what is there."""
    if os.path.isdir(path):  # noqa: PTH112
        ns.mount("tmpfs", path, "tmpfs", ns.MS_RDONLY | ns.MS_NOSUID | ns.MS_NODEV)
    elif os.path.exists(path):  # noqa: PTH110
        ns.mount("/dev/null", path, "", ns.MS_BIND)


def _mask() -> None:
    for path in READ_ONLY:
        with contextlib.suppress(FileNotFoundError):
            ns.mount(path, path, "", ns.MS_BIND | ns.MS_REC)
            _set_readonly(path)
    for path in MASKED:
        _hide(path)
