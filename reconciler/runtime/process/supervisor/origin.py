"""Whose a state directory's records are. A copy has those of another directory, whose Pods may run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import records

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "origin.json"
_OWN = ("sandboxes", "containers", "node.json")


def name_of(root: Path) -> str:
    """Return what tells a directory from its copies: it stays while the directory is renamed."""
    found = root.stat()
    return f"{found.st_dev:x}-{found.st_ino:x}"


def settle(root: Path) -> bool:
    """Forget the records of another directory that this one is a copy of; tell whether there were any.

    Only those of this boot can be of something that runs: older ones are kept for what they say of how it ended. Not
    forgotten, they would name the processes of the other directory, and those would be ended from here.
    """
    own = {"name": name_of(root), "boot": records.BOOT_ID}
    found = records.read(root / _FILE)
    foreign = bool(found) and found["name"] != own["name"] and found.get("boot") == own["boot"]
    if foreign:
        for part in _OWN:
            records.forget(root / part)
    if found != own:
        records.write(root / _FILE, own)
    return foreign
