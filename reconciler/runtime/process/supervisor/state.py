"""What the supervisor knows of its sandboxes and containers, in memory and on disk alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import records
from .verbs import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from .verbs import Loop

Record = dict[str, Any]


class State:
    """The records of a node, by id; every change is on disk before anybody hears of it."""

    def __init__(self, root: Path, loop: Loop) -> None:
        self.root = root
        self._loop = loop
        self.sandboxes = self._read("sandboxes")
        self.containers = self._read("containers")

    def _read(self, kind: str) -> dict[str, Record]:
        found = map(records.read, (self.root / kind).glob("*/record.json"))
        return {record["id"]: record for record in found if record}

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
