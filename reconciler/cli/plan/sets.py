"""What the files of a path ask for: now, in another directory, or in another revision."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cli.building import build
from reconciler.cli.validate import snapshot_of
from reconciler.gitops.engine import desired

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.api.objects import Key
    from reconciler.gitops.render import Document
    from reconciler.gitops.source import Snapshot


class Wanted(NamedTuple):
    """Objects by key, hooks among them, and the documents that they are from."""

    objects: Mapping[Key, desired.Wanted]
    documents: Mapping[Key, Document]


def of_path(path: Path, app: Mapping[str, Any], state_dir: Path) -> Wanted:
    """Return what a path asks for, built as the Application would. Raises ``SourceError``, ``RenderError``."""
    return _of(snapshot_of(path), app, state_dir)


def of_ref(path: Path, ref: str, app: Mapping[str, Any], state_dir: Path) -> Wanted:
    """Return what a path asked for in a commit of the checkout that holds it. Raises ``SourceError``, ``RenderError``."""
    from reconciler.gitops.source.git.local import at_ref

    return _of(asyncio.run(at_ref(path, ref)), app, state_dir)


def _of(snapshot: Snapshot, app: Mapping[str, Any], state_dir: Path) -> Wanted:
    name, spec = app["metadata"]["name"], app["spec"]
    namespace = (spec.get("destination") or {}).get("namespace") or "default"
    rendered = build(snapshot, spec["source"], name=name, namespace=namespace, state_dir=state_dir)
    made = desired.Desired(name)
    objects: dict[Key, desired.Wanted] = {}
    documents: dict[Key, Document] = {}
    for document in rendered.documents:
        for key, wanted in made.wanted([document], namespace).items():
            objects[key], documents[key] = wanted, document
    return Wanted(objects, documents)
