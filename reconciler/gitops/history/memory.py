"""History in memory, for simulations and engines that keep nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.gitops.history.protocol import HistoryError
from reconciler.gitops.history.sets import set_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.api.objects import Object
    from reconciler.gitops.history.record import Record


class MemoryHistory:
    """Implements ``History``."""

    def __init__(self) -> None:
        self._records: dict[str, dict[int, Record]] = {}
        self._sets: dict[tuple[str, str], dict[str, Object]] = {}

    def records(self, app: str) -> list[Record]:
        return [r for _, r in sorted(self._records.get(app, {}).items())]

    def put_record(self, app: str, record: Record) -> None:
        self._records.setdefault(app, {})[record.id] = record

    def put_set(self, app: str, objects: Mapping[str, Object]) -> str:
        digest = set_digest(objects)
        self._sets[app, digest] = dict(objects)
        return digest

    def objects(self, app: str, digest: str) -> list[Object]:
        try:
            return list(self._sets[app, digest].values())
        except KeyError:
            raise HistoryError(f"the rendered set {digest} of {app} is not kept") from None

    def prune(self, app: str, keep: Iterable[int]) -> None:
        wanted = set(keep)
        records = self._records.get(app, {})
        self._records[app] = {i: r for i, r in records.items() if i in wanted}
        named = {r.set for r in self._records[app].values()}
        for key in [k for k in self._sets if k[0] == app and k[1] not in named]:
            del self._sets[key]

    def drop(self, app: str) -> None:
        self._records.pop(app, None)
        for key in [k for k in self._sets if k[0] == app]:
            del self._sets[key]
