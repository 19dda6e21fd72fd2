"""From an Application's documents to the objects it wants. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import config_hash, kinds
from reconciler.api.objects import Key, Object, namespace_of
from reconciler.gitops.digest import digest_of
from reconciler.gitops.hooks import hook_of
from reconciler.gitops.plan import is_ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.gitops.render import Document

APPLICATION_ANNOTATION = "reconciler.dev/application"


class Wanted(NamedTuple):
    """One object as it shall be, and the digest of that. ``ordered``: it says what it comes before or after.

    ``reads``: the ConfigMaps and Secrets whose change rolls its Pods.
    """

    object: Object
    digest: str
    kind: kinds.Kind
    ordered: bool = False
    reads: tuple[Key, ...] = ()


def manager_of(app: str) -> str:
    """Return the field manager of an Application."""
    return f"reconciler:{app}"


class Desired:
    """The objects that one Application wants; those of unchanged documents are made once."""

    def __init__(self, app: str) -> None:
        self._app = app
        self._made: dict[int, tuple[Document, str, Key, Wanted]] = {}

    def wanted(self, documents: Iterable[Document], namespace: str) -> dict[Key, Wanted]:
        """Return what the documents ask for, each with its namespace and the Application's mark."""
        result: dict[Key, Wanted] = {}
        kept: dict[int, tuple[Document, str, Key, Wanted]] = {}
        for document in documents:
            made = self._made.get(id(document))
            if made is None or made[0] is not document or made[1] != namespace:
                one = _wanted(document.object, self._app, namespace)
                made = (document, namespace, Key.of(one.object), one)
            kept[id(document)] = made
            result[made[2]] = made[3]
        self._made = kept
        return result


def wanted(documents: Iterable[Document], app: str, namespace: str) -> dict[Key, Wanted]:
    """Return what documents ask for, once."""
    return Desired(app).wanted(documents, namespace)


def wanted_of(obj: Object, kind: kinds.Kind | None = None) -> Wanted:
    """Return what an object asks for that has its namespace and the Application's mark."""
    kind = kind or kinds.kind_of(obj)
    reads: tuple[Key, ...] = ()
    if kind in config_hash.WORKLOADS:
        where = namespace_of(obj)
        reads = tuple(Key("", k.kind, where, name) for k, name in config_hash.reads(obj))
    return Wanted(obj, digest_of(obj), kind, is_ordered(obj), reads)


def hook_name(prefix: str, app: str) -> str:
    """Return the name of a hook that has only a ``generateName``: always the same, so that the next takes the last's place."""
    return f"{prefix[:57]}{hashlib.sha256(f'{app}/{prefix}'.encode()).hexdigest()[:5]}"


def is_bare_namespace(obj: Object) -> bool:
    """Whether it is a Namespace of which only the name is asked for: it is well whoever made it."""
    about = {k: v for k, v in obj["metadata"].items() if k != "annotations"}
    notes = obj["metadata"].get("annotations") or {}
    return (
        obj.get("kind") == "Namespace"
        and obj.keys() == {"apiVersion", "kind", "metadata"}
        and about.keys() == {"name"}
        and notes.keys() <= {APPLICATION_ANNOTATION}
    )


def _wanted(obj: Object, app: str, namespace: str) -> Wanted:
    kind = kinds.kind_of(obj)
    given = obj.get("metadata") or {}
    annotations = {**(given.get("annotations") or {}), APPLICATION_ANNOTATION: app}
    meta = {**given, "annotations": annotations}
    if not meta.get("name") and meta.get("generateName") and hook_of(obj) is not None:
        meta["name"] = hook_name(str(meta.pop("generateName")), app)
    if kind.namespaced:
        meta["namespace"] = given.get("namespace") or namespace
    else:
        meta.pop("namespace", None)
    made = {k: v for k, v in obj.items() if k != "status"} | {"metadata": meta}
    return wanted_of(made, kind)


def missing_namespace(found: Mapping[Key, Wanted], namespace: str, app: str) -> Wanted | None:
    """Return the destination's Namespace where objects go there and nobody declares it."""
    key = Key("", "Namespace", "", namespace)
    if key in found or not any(k.namespace == namespace for k in found):
        return None
    obj: Object = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "annotations": {APPLICATION_ANNOTATION: app}},
    }
    return Wanted(obj, digest_of(obj), kinds.NAMESPACE)
