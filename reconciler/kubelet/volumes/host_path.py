"""A hostPath volume's path, made or checked as its ``type`` asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.errors import RuntimeFailure

_WORDS = {
    "Directory": "directory",
    "DirectoryOrCreate": "directory",
    "File": "file",
    "FileOrCreate": "file",
    "Socket": "socket file",
    "CharDevice": "character device",
    "BlockDevice": "block device",
}


def host_path(source: dict[str, Any]) -> Path:
    """Return the path. Raises ``RuntimeFailure`` (FailedMount), and ``OSError`` where it cannot be made.

    Without a type nothing is checked; what is missing becomes a directory, as containerd does it.
    """
    path = Path(source["path"])
    kind = source.get("type") or ""
    if kind == "DirectoryOrCreate" or (not kind and not path.exists()):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    checks = {
        "directory": path.is_dir,
        "file": path.is_file,
        "socket file": path.is_socket,
        "character device": path.is_char_device,
        "block device": path.is_block_device,
    }
    word = _WORDS.get(kind)
    if word is not None and not checks[word]():
        raise RuntimeFailure(
            f"hostPath type check failed: {path} is not a {word}", reason="FailedMount"
        )
    return path
