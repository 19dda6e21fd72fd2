"""What a path's files come to, for the commands that read them here: as the daemon would build them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.gitops.source.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.gitops.render import RenderCache, Rendered
    from reconciler.gitops.source import Snapshot


def source_of(values: Iterable[str | Path], sets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an Application's ``spec.source`` that options give; files as named from here."""
    templates: dict[str, Any] = {}
    files = [str(Path(v).absolute()) for v in values]
    if files:
        templates["values"] = files
    if sets:
        templates["set"] = dict(sets)
    return {"templates": templates} if templates else {}


def located(source: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return a ``spec.source`` whose values files below ``root`` are named as files of the source."""
    templates = source.get("templates") or {}
    if not templates.get("values"):
        return dict(source)
    names = [_from(root.resolve(), str(name)) for name in templates["values"]]
    return {**source, "templates": {**templates, "values": names}}


def _from(root: Path, name: str) -> str:
    """Return a file's name from the root of a source that reads it; of any other as it is."""
    path = Path(name).resolve()
    if not path.is_relative_to(root):
        return name
    inside = path.relative_to(root).as_posix()
    return inside if Selection().path(inside) else name


def within_of(path: Path) -> Path | None:
    """Return the folder in which a user's kustomizations may name others; None: the git checkout that holds the path.

    Without a checkout that is where the user stands, if the path lies below it.
    """
    absolute, here = path.resolve(), Path.cwd()
    if any((folder / ".git").exists() for folder in (absolute, *absolute.parents)):
        return None
    return here if here in absolute.parents and here.parent != here else None


def build(
    snapshot: Snapshot,
    source: Mapping[str, Any],
    *,
    name: str = "release",
    namespace: str = "default",
    state_dir: Path | None = None,
    cache: RenderCache | None = None,
) -> Rendered:
    """Return the documents of a snapshot. With ``state_dir`` its keys decrypt; without, encrypted values stay empty.

    ``cache`` may know some files already. Raises ``RenderError``.
    """
    from reconciler.gitops.generate import AgeKeys, Builder

    keys = AgeKeys(state_dir / "keys", os.environ) if state_dir is not None else None
    builder = Builder(identities=keys, lenient=keys is None, cache=cache)
    return builder.build_now(snapshot, source, name=name, namespace=namespace).rendered
