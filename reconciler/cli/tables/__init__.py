"""Objects as rows: kubectl's columns, kind by kind. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.tables import cluster, network, pods, storage, workloads
from reconciler.cli.tables.layout import Cells, Columns, age, aligned, duration
from reconciler.cli.tables.pods import pod_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.api.objects import Object

__all__ = ["age", "aligned", "duration", "pod_state", "table"]

COLUMNS: dict[tuple[str, str], Columns] = {
    **pods.COLUMNS,
    **workloads.COLUMNS,
    **network.COLUMNS,
    **storage.COLUMNS,
    **cluster.COLUMNS,
}


def table(
    objects: Sequence[Object],
    now: float,
    *,
    namespaces: bool = False,
    wide: bool = False,
    prefix: str = "",
) -> str:
    """Return objects of one kind as a table. ``prefix`` goes before each name (``deployment.apps/``)."""
    if not objects:
        return ""
    columns = COLUMNS.get(
        (str(objects[0].get("apiVersion")), str(objects[0].get("kind"))), Columns((), lambda _: [])
    )
    titles = [*columns.titles] if columns.bare else ["NAME", *columns.titles, "AGE"]
    titles = [*(["NAMESPACE"] if namespaces else []), *titles, *columns.late_titles]
    titles += columns.wide_titles if wide else ()
    rows: list[Cells] = [titles]
    for obj in objects:
        meta = obj["metadata"]
        row = [meta.get("namespace", "")] if namespaces else []
        cells = columns.timed(obj, now) if columns.timed else columns.cells(obj)
        if not columns.bare:
            cells = [prefix + meta["name"], *cells, age(meta.get("creationTimestamp"), now)]
        row += [*cells, *columns.late_cells(obj)]
        rows.append([*row, *(columns.wide_cells(obj) if wide else [])])
    return aligned(rows)
