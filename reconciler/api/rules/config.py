"""Rules of ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from reconciler.api import names
from reconciler.api.rules.problem import Problem, below, invalid, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_MOST = 1024 * 1024  # bytes
_SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_HIDDEN = "<secret contents redacted>"


def config_map(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a ConfigMap."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    total = 0
    for key, value in data.items():
        if wrong := names.config_key_problem(key):
            yield invalid("config-key", ("data", key), key, wrong)
        if key in binary:
            told = "duplicate of key present in binaryData"
            yield invalid("config-key", ("data", key), key, told)
        total += len(value or "")
    for key, value in binary.items():
        if wrong := names.config_key_problem(key):
            yield invalid("config-key", ("binaryData", key), key, wrong)
        total += len(value or "") * 3 // 4
    # Characters are counted first: what is far below the limit needs no encoding.
    if total * 4 > _MOST:
        total = sum(len((v or "").encode()) for v in data.values()) + sum(
            len(v or "") * 3 // 4 for v in binary.values()
        )
        if total > _MOST:
            yield _too_long()


def _too_long() -> Problem:
    told = f"Too long: may not be more than {_MOST} bytes"
    return Problem(("data",), "FieldValueTooLong", told, "rule/config-size", named="[]")


def secret(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a Secret. Its values are never shown."""
    data, plain = obj.get("data") or {}, obj.get("stringData") or {}
    for field, held in (("data", data), ("stringData", plain)):
        for key in held:
            if wrong := names.config_key_problem(key):
                yield invalid("config-key", (field, key), key, wrong)
    total = sum(len(v or "") * 3 // 4 for k, v in data.items() if k not in plain)
    if total + sum(len((v or "").encode()) for v in plain.values()) > _MOST:
        yield _too_long()
    kind = obj.get("type") or ""
    for key in _SECRET_KEYS.get(kind, ()):
        if key not in data and key not in plain:
            yield required("secret-type", ("data", key))
        elif key.startswith(".") and (wrong := _json_problem(data, plain, key)):
            where = "stringData" if key in plain else "data"
            yield invalid("secret-type", (where, key), _HIDDEN, wrong, named=f"data[{key}]")
    if kind == "kubernetes.io/basic-auth" and not (
        {"username", "password"} & (data.keys() | plain.keys())
    ):
        yield required("secret-type", ("data", "username"))
        yield required("secret-type", ("data", "password"))
    if kind == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        if not (below(obj, "metadata").get("annotations") or {}).get(name):
            yield required("secret-type", ("metadata", "annotations", name))


def _json_problem(data: dict[str, Any], plain: dict[str, Any], key: str) -> str:
    """Say why a value is not JSON, without a word of the value."""
    try:
        raw = plain[key] if key in plain else base64.b64decode(data[key] or "")
        json.loads(raw or "")
    except (ValueError, binascii.Error, RecursionError):
        return "must be JSON"
    return ""
