"""What the supervisor knows of its sandboxes and containers, in memory and on disk alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import output, records
from .verbs import Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .verbs import Loop

Record = dict[str, Any]

_WORDS = {
    "sandboxes": ("id", "uid", "namespace", "name", "state", "ip", "log_directory"),
    "containers": (
        "id",
        "sandbox_id",
        "pod_uid",
        "name",
        "state",
        "image",
        "image_ref",
        "log_path",
    ),
}


def _is_sandbox(record: Record, directory: Path) -> bool:
    """Whether a record is one of a sandbox, and of the one that its directory is named after."""
    return _has_words(record, directory) and records.is_identity(record.get("holder"))


def _is_container(record: Record, directory: Path) -> bool:
    """Whether a record is one of a container; one that has not ended has its output too."""
    if not _has_words(record, directory):
        return False
    match record["state"]:
        case "CONTAINER_EXITED":
            return isinstance(record.get("exit_code"), int)
        case "CONTAINER_CREATED":
            return isinstance(record.get("config"), dict) and output.is_prepared(directory)
        case "CONTAINER_RUNNING":
            who = record.get("process")
            if not records.is_identity(who) or record["process"]["pid"] != record.get("pid"):
                return False
            return output.is_prepared(directory)
    return False


def _has_words(record: Record, directory: Path) -> bool:
    words = all(isinstance(record.get(w), str) for w in _WORDS[directory.parent.name])
    numbers = isinstance(record.get("attempt"), int) and isinstance(
        record.get("created_at"), int | float
    )
    return words and numbers and record["id"] == directory.name


class State:
    """The records of a node, by id; every change is on disk before anybody hears of it.

    ``damaged`` are the directories whose record says nothing: of what may run all the same. Raises ``PermissionError``.
    """

    def __init__(self, root: Path, loop: Loop) -> None:
        self.root = root
        self._loop = loop
        self.damaged: list[Path] = []
        self.sandboxes = self._read("sandboxes", _is_sandbox)
        self.containers = self._read("containers", _is_container)

    def _read(self, kind: str, is_sound: Callable[[Record, Path], bool]) -> dict[str, Record]:
        found = {}
        for directory in sorted((self.root / kind).iterdir()):
            record = records.read(directory / "record.json")
            if record and is_sound(record, directory):
                found[str(record["id"])] = record
            else:
                self.damaged.append(directory)
        return found

    def directory(self, record: Record) -> Path:
        """Return where a record lies, with what belongs to it."""
        kind = "containers" if "sandbox_id" in record else "sandboxes"
        return self.root / kind / str(record["id"])

    def save(self, record: Record) -> None:
        """Write a record that was changed."""
        records.write(self.directory(record) / "record.json", record)

    def forget(self, record: Record) -> None:
        """Remove a record and its directory."""
        known = self.containers if "sandbox_id" in record else self.sandboxes
        known.pop(record["id"], None)
        records.forget(self.directory(record))

    def changed(self, record: Record) -> None:
        """Tell the daemons that something of this record's Pod is new."""
        self._loop.tell({"event": record.get("pod_uid") or record["uid"]})

    def container(self, key: str) -> Record:
        """Return a container's record; raises ``Failure``."""
        if record := self.containers.get(key):
            return record
        raise Failure(f"container {key} is not known", "NotFound")

    def containers_of(self, sandbox: str) -> list[Record]:
        """Return the containers of a sandbox."""
        return [c for c in self.containers.values() if c["sandbox_id"] == sandbox]
