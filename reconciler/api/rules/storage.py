"""Rules of claims, volumes, ConfigMaps and Secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.api import quantities
from reconciler.api.rules.problem import Problem, forbidden, invalid, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_KEY = re.compile(r"[-._a-zA-Z0-9]+\Z")
_SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def claim(obj: Object) -> Iterator[Problem]:
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield required(("spec", "accessModes"), "at least 1 access mode is required")
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield required(("spec", "resources", "storage"))
    else:
        yield from _size(size, ("spec", "resources", "requests", "storage"))


def _size(size: object, path: tuple[str, ...]) -> Iterator[Problem]:
    try:
        amount = quantities.parse(size if isinstance(size, (str, int, float)) else "")
    except ValueError as error:
        yield invalid(path, size, str(error))
        return
    if amount <= 0:
        yield invalid(path, size, "must be greater than zero")


def volume(obj: Object) -> Iterator[Problem]:
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield required(("spec", "accessModes"))
    size = (spec.get("capacity") or {}).get("storage")
    if size is None:
        yield required(("spec", "capacity"))
    else:
        yield from _size(size, ("spec", "capacity", "storage"))
    path = (spec.get("hostPath") or spec.get("local") or {}).get("path", "")
    if ".." in path.split("/"):
        yield invalid(("spec", "hostPath", "path"), path, "must not contain '..'")


def config(obj: Object) -> Iterator[Problem]:
    both = set(obj.get("data") or {}) & set(obj.get("binaryData") or {})
    for key in sorted(both):
        yield invalid(("data", key), key, "duplicate of key present in binaryData")
    for field in ("data", "binaryData"):
        for key in obj.get(field) or {}:
            if not _KEY.match(key) or len(key) > 253 or key in (".", ".."):
                yield invalid(
                    (field, key), key,
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                )  # fmt: skip
    if obj.get("kind") == "Secret":
        for key in _SECRET_KEYS.get(obj.get("type", ""), ()):
            if key not in (obj.get("data") or {}):
                yield required(("data", key))
    immutable = obj.get("immutable")
    if immutable is not None and not isinstance(immutable, bool):
        yield forbidden(("immutable",), "must be true or false")
