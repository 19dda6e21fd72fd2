"""History below the state directory: ``history/APPLICATION/{records,sets,objects}``, files 0600, directories 0700.

A record is a small JSON file; a set names its objects by digest; an object is one file, written when it is seen first. A
sync that changes k of N objects writes k objects, one set of N lines and one record. Files are replaced, never written
in place: whoever reads (``reconciler history`` reads without a daemon) sees the old or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import structlog

from reconciler.api.objects import Key
from reconciler.gitops.digest import digest_of
from reconciler.gitops.history.protocol import HistoryError
from reconciler.gitops.history.record import Record
from reconciler.gitops.history.sealing import Seal
from reconciler.gitops.history.sets import set_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reconciler.api.objects import Object

log = structlog.get_logger(__name__)

#: An Application's name as a folder: a DNS subdomain, so nothing that leads elsewhere.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class FileHistory:
    """Implements ``History``. One writer (the daemon), any number of readers."""

    def __init__(self, state_dir: Path) -> None:
        self._root = state_dir / "history"
        self._seal = Seal(state_dir / "keys" / "history.key")
        self._kept: dict[str, set[str]] = {}

    def records(self, app: str) -> list[Record]:
        found = []
        for path in _listed(self._folder(app, "records")):
            try:
                found.append(Record.from_json(json.loads(path.read_bytes())))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("history record cannot be read", path=str(path), error=str(error))
        return found

    def put_record(self, app: str, record: Record) -> None:
        self._write(self._folder(app, "records") / f"{record.id:08}.json", record.to_json())

    def put_set(self, app: str, objects: Mapping[str, Object]) -> str:
        kept = self._addresses(app)
        folder = self._folder(app, "objects")
        rows = []
        for one, obj in objects.items():
            secret = obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1"
            address = self._seal.address(one) if secret else one
            rows.append(address)
            if address not in kept:
                data = json.dumps(obj, separators=(",", ":")).encode()
                path = folder / address[:2] / address
                self._write_bytes(path, self._seal.seal(data, address) if secret else data)
                kept.add(address)
        # Of addresses, not of digests: from those a Secret's short value could be guessed.
        digest = set_digest(rows)
        path = self._folder(app, "sets") / f"{digest}.json"
        if path not in _listed(path.parent):
            # The checksum tells a set that was changed, or is cut short, from the one that was applied.
            self._write(path, {"objects": rows, "checksum": _checksum(rows)})
        return digest

    def objects(self, app: str, digest: str) -> list[Object]:
        path = self._folder(app, "sets") / f"{digest}.json"
        try:
            found = json.loads(path.read_bytes())
            if found["checksum"] != _checksum(found["objects"]):
                raise HistoryError(f"{path} was changed")
            return [self._object(app, address) for address in found["objects"]]
        except FileNotFoundError as error:
            raise HistoryError(
                f"the rendered set {digest} of {app} is not kept (any more)"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HistoryError(f"{path} cannot be read: {error}") from error

    def prune(self, app: str, keep: Iterable[int]) -> None:
        wanted = set(keep)
        records = self.records(app)
        for record in records:
            if record.id not in wanted:
                _unlink(self._folder(app, "records") / f"{record.id:08}.json")
        named = {r.set for r in records if r.id in wanted}
        sets = _listed(self._folder(app, "sets"))
        gone = [p for p in sets if p.stem not in named]
        if not gone:
            return
        used: set[str] = set()
        for path in sets:
            if path.stem in named:
                used.update(json.loads(path.read_bytes())["objects"])
        for path in gone:
            _unlink(path)
        for address in self._addresses(app) - used:
            _unlink(self._folder(app, "objects") / address[:2] / address)
        self._kept[app] = used

    def drop(self, app: str) -> None:
        self._kept.pop(app, None)
        shutil.rmtree(self._root / self._name(app), ignore_errors=True)

    def _object(self, app: str, address: str) -> Object:
        data = (self._folder(app, "objects") / address[:2] / address).read_bytes()
        if address.startswith("s"):
            data = self._seal.open(data, address)
        obj: Object = json.loads(data)
        if not address.startswith("s") and digest_of(obj) != address:
            raise HistoryError(f"the recorded {Key.of(obj)} of {app} was changed")
        return obj

    def _addresses(self, app: str) -> set[str]:
        """Return what is kept of an Application; looked for once."""
        if app not in self._kept:
            folders = _listed(self._folder(app, "objects"), "")
            self._kept[app] = {path.name for folder in folders for path in _listed(folder, "")}
        return self._kept[app]

    def _folder(self, app: str, part: str) -> Path:
        return self._root / self._name(app) / part

    @staticmethod
    def _name(app: str) -> str:
        if not _NAME.fullmatch(app):
            raise HistoryError(f"{app!r} is not the name of an Application")
        return app

    def _write(self, path: Path, data: Any) -> None:
        self._write_bytes(path, json.dumps(data, separators=(",", ":")).encode())

    @staticmethod
    def _write_bytes(path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.new")
        try:
            _make_folder(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(data)
            temporary.replace(path)
        except OSError as error:
            raise HistoryError(f"cannot write {path}: {error.strerror}") from error


def _listed(folder: Path, suffix: str = ".json") -> list[Path]:
    """Return the paths in a folder, in order; none where it is not there. Raises ``HistoryError`` where it cannot be read."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - `glob` says nothing of a folder that is closed
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HistoryError(f"cannot read {folder}: {error.strerror}") from error
    return [folder / n for n in names if n.endswith(suffix) and not n.startswith(".")]


def _checksum(rows: list[str]) -> str:
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _make_folder(path: Path) -> None:
    """Make a folder and those above it, all 0700 (``parents`` of ``mkdir`` would not be)."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
