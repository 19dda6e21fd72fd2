"""The kernel's newer calls for mounts and for paths that cannot be led astray: open_tree, move_mount, mount_setattr, openat2."""

from __future__ import annotations

import ctypes
import os
import stat
import struct

_EMPTY_PATH, _RECURSIVE, _CLONE = 0x1000, 0x8000, 1
_FROM_EMPTY_PATH, _TO_EMPTY_PATH = 0x04, 0x40
_READ_ONLY, _ID_MAP = 1, 0x100000
_NO_MAGIC_LINKS, _BENEATH = 0x02, 0x08
MS_SLAVE = 1 << 19
_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object, what: str) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def clone_tree(place: int, name: str) -> int:
    """Return a detached copy of the mounts at an O_PATH fd: it can be put in place when its path is hidden."""
    flags = _CLONE | _RECURSIVE | _EMPTY_PATH | os.O_CLOEXEC
    return _call(428, place, b"", ctypes.c_uint(flags), what=f"open_tree {name}")


def move_tree(tree: int, target: int, name: str) -> None:
    """Put a detached tree over what an O_PATH fd names."""
    flags = _FROM_EMPTY_PATH | _TO_EMPTY_PATH
    _call(429, tree, b"", target, b"", ctypes.c_uint(flags), what=f"mount on {name}")


def _set(tree: int, attributes: bytes, *, recursive: bool, what: str) -> None:
    flags = _EMPTY_PATH | (_RECURSIVE if recursive else 0)
    _call(442, tree, b"", ctypes.c_uint(flags), attributes, ctypes.c_size_t(32), what=what)


def make_readonly(tree: int, *, recursive: bool) -> None:
    """Forbid writing through a mount, or through it and all below it (Linux 5.12)."""
    _set(tree, struct.pack("4Q", _READ_ONLY, 0, 0, 0), recursive=recursive, what="mount read-only")


def make_writable(tree: int) -> None:
    """Allow writing through this one mount again."""
    _set(tree, struct.pack("4Q", 0, _READ_ONLY, 0, 0), recursive=False, what="mount writable")


def map_ids(tree: int, user_namespace: int) -> None:
    """Show the files of a detached tree as a user namespace has them: its 0 is their 0. Raises ``OSError``."""
    attributes = struct.pack("4Q", _ID_MAP, 0, 0, user_namespace)
    _set(tree, attributes, recursive=False, what="mount with mapped ids")


def propagate(tree: int, kind: int) -> None:
    """Set what mounts below a tree do to its peers: ``MS_SLAVE``: they only come in."""
    _set(tree, struct.pack("4Q", 0, 0, kind, 0), recursive=True, what="mount propagation")


def open_beneath(root: int, path: str, flags: int = os.O_PATH) -> int:
    """Open a path that cannot lead out of ``root``, whatever links lie or appear on it. Raises ``OSError``."""
    how = struct.pack("3Q", flags | os.O_CLOEXEC, 0, _NO_MAGIC_LINKS | _BENEATH)
    raw = os.fsencode(path or ".")
    return _call(437, root, raw, how, ctypes.c_size_t(len(how)), what=path)


def make_beneath(root: int, path: str, *, directory: bool = True, mode: int = 0o755) -> int:
    """Open a path beneath ``root`` (O_PATH), making what is missing of it; raises ``OSError``.

    ``directory``: what its last part becomes, else an empty file. Directories get ``mode``.
    """
    try:
        return open_beneath(root, path)
    except FileNotFoundError:
        pass
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for count in range(1, len(parts) + 1):
        here = "/".join(parts[:count])
        try:
            os.close(open_beneath(root, here))
        except FileNotFoundError:
            parent = open_beneath(root, "/".join(parts[: count - 1]), os.O_PATH | os.O_DIRECTORY)
            try:
                _make(parent, parts[count - 1], mode, directory=directory or count < len(parts))
            finally:
                os.close(parent)
    return open_beneath(root, path)


def _make(parent: int, name: str, mode: int, *, directory: bool) -> None:
    try:
        if not directory:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=parent))
            return
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return  # somebody else was faster; opened beneath afterwards
    made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    os.fchmod(made, mode)
    os.close(made)


def is_directory(tree: int) -> bool:
    return stat.S_ISDIR(os.fstat(tree).st_mode)
