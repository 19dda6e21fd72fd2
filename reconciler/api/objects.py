"""Objects and their keys.

An object is what Kubernetes serves as JSON: a ``dict`` with apiVersion, kind and metadata, kept whole. **Objects
that a Client or a Snapshot hands out are shared and must never be changed**: ``copy()`` first. Here are the names of
things (keys), the reads that everybody needs, and nothing else.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

Object = dict[str, Any]


class GroupVersionKind(NamedTuple):
    """A type's full name; the core group is the empty string."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def of(cls, obj: Object) -> GroupVersionKind:
        """Read an object's type; missing parts are empty strings."""
        return cls.parse(str(obj.get("apiVersion") or ""), str(obj.get("kind") or ""))

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def parse(cls, api_version: str, kind: str) -> GroupVersionKind:
        """Split ``apps/v1`` and ``Deployment``."""
        group, _, version = api_version.rpartition("/")
        return cls(group, version, kind)


class Key(NamedTuple):
    """What identifies an object in one cluster. The version is not part: one object, many versions.

    ``namespace`` is empty for cluster-scoped kinds.
    """

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Object) -> Key:
        """Read an object's key; the namespace is taken as it stands."""
        group, _, kind = GroupVersionKind.of(obj)
        meta = obj.get("metadata") or {}
        return cls(group, kind, str(meta.get("namespace") or ""), str(meta.get("name") or ""))

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{kind}/{where}"


def meta(obj: Object) -> dict[str, Any]:
    """Return metadata, or an empty dict that nobody should write into."""
    return obj.get("metadata") or {}


def name_of(obj: Object) -> str:
    return str(meta(obj).get("name") or "")


def namespace_of(obj: Object) -> str:
    return str(meta(obj).get("namespace") or "")


def uid_of(obj: Object) -> str:
    return str(meta(obj).get("uid") or "")


def revision_of(obj: Object) -> int:
    """Return the resourceVersion as a number; 0 where there is none (revisions are ordered integers here)."""
    text = meta(obj).get("resourceVersion")
    return int(text) if text else 0


def labels_of(obj: Object) -> dict[str, str]:
    return meta(obj).get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    return meta(obj).get("annotations") or {}


def is_deleting(obj: Object) -> bool:
    """Whether deletion was asked for and something (grace, a finalizer) still holds the object."""
    return bool(meta(obj).get("deletionTimestamp"))


def controller_of(obj: Object) -> dict[str, Any] | None:
    """Return the owner reference with ``controller: true``, which must not be changed, if there is one."""
    refs: list[dict[str, Any]] = meta(obj).get("ownerReferences") or []
    for ref in refs:
        if ref.get("controller"):
            return ref
    return None


def controller_ref(owner: Object) -> dict[str, Any]:
    """Return an owner reference that makes ``owner`` the controller of a dependent."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def mapping(value: Any) -> dict[str, Any]:
    """Return a value that should be an object; an empty one for anything else, as an unchecked manifest may hold."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a value that should be a list of them; what is none is left out."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def copy(value: Any) -> Any:
    """Deep copy JSON data (dicts, lists, scalars); several times faster than ``copy.deepcopy``."""
    if isinstance(value, dict):
        return {k: copy(v) for k, v in value.items()}
    if isinstance(value, list):
        return [copy(v) for v in value]
    return value
