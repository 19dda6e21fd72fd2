"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386). Inputs are never changed; results share what did not."""

from __future__ import annotations

from typing import Any

from reconciler.api.objects import copy
from reconciler.errors import BadRequest, Invalid

#: More operations than this in one patch are refused, as a kube-apiserver does, and so are patches whose ``copy``
#: operations make the document grow by more values than this.
MOST_OPERATIONS = 10_000
MOST_COPIED = 100_000


def merge_patch(target: Any, patch: Any) -> Any:
    """Return ``target`` with a merge patch applied: null removes, mappings merge, the rest replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def merge_diff(before: Any, after: Any) -> Any:
    """Return the merge patch that leads from one mapping to another (``after`` must hold no nulls)."""
    patch: dict[str, Any] = {k: None for k in before if k not in after}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(before[key], dict):
            inner = merge_diff(before[key], value)
            if inner:
                patch[key] = inner
        elif before[key] != value:
            patch[key] = value
    return patch


def json_patch(target: Any, operations: Any) -> Any:
    """Return ``target`` with RFC 6902 operations applied in order; all or nothing.

    Raises ``BadRequest`` for what is not a patch, ``Invalid`` for one that does not fit the target.
    """
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise BadRequest("a JSON patch is a list of operations")
    if len(operations) > MOST_OPERATIONS:
        raise BadRequest(f"a JSON patch may have {MOST_OPERATIONS} operations at most")
    document = copy(target)
    copied = 0
    for operation in operations:
        if operation.get("op") == "copy":
            copied += _values(_read(document, _tokens(operation.get("from"))))
            if copied > MOST_COPIED:
                raise BadRequest(f"the copies of a JSON patch may add {MOST_COPIED} values at most")
        document = _operate(document, operation)
    return document


def _values(value: Any) -> int:
    """Count the values within a value."""
    if isinstance(value, dict):
        return 1 + sum(map(_values, value.values()))
    return 1 + sum(map(_values, value)) if isinstance(value, list) else 1


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    kind, path = operation.get("op"), _tokens(operation.get("path"))
    if kind in ("add", "replace", "test") and "value" not in operation:
        raise BadRequest(f"the operation {kind!r} needs a value")
    match kind:
        case "add":
            return _add(document, path, copy(operation["value"]))
        case "remove":
            return _remove(document, path)
        case "replace":
            if not path:
                return copy(operation["value"])
            _read(document, path)
            return _set(document, path, copy(operation["value"]))
        case "move":
            source = _tokens(operation.get("from"))
            if path[: len(source)] == source and path != source:
                raise Invalid("a value cannot be moved into itself")
            value = _read(document, source)
            return _add(_remove(document, source), path, value)
        case "copy":
            return _add(document, path, copy(_read(document, _tokens(operation.get("from")))))
        case "test":
            if not _equal(_read(document, path), operation["value"]):
                raise Invalid(f"testing value {operation.get('path')} failed")
            return document
    raise BadRequest(f"unknown operation {kind!r} in a JSON patch")


def _equal(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(v, right[k]) for k, v in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def _tokens(pointer: Any) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise BadRequest(f"{pointer!r} is not a JSON pointer")
    return [t.replace("~1", "/").replace("~0", "~") for t in pointer.split("/")[1:]]


def _index(items: list[Any], token: str, limit: int) -> int:
    if (
        not token.isascii()
        or not token.isdigit()
        or len(token) > 9
        or (len(token) > 1 and token[0] == "0")
        or int(token) >= limit
    ):
        raise Invalid(f"there is no item {token!r} in a list of {len(items)}")
    return int(token)


def _read(document: Any, path: list[str]) -> Any:
    for token in path:
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list):
            document = document[_index(document, token, len(document))]
        else:
            raise Invalid(f"the path /{'/'.join(path)} does not exist")
    return document


def _set(document: Any, path: list[str], value: Any) -> Any:
    parent = _read(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        parent[_index(parent, path[-1], len(parent))] = value
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _read(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        at = len(parent) if path[-1] == "-" else _index(parent, path[-1], len(parent) + 1)
        parent.insert(at, value)
    else:
        raise Invalid(f"the path /{'/'.join(path)} does not exist")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise Invalid("the whole document cannot be removed")
    _read(document, path)
    parent = _read(document, path[:-1])
    if isinstance(parent, dict):
        del parent[path[-1]]
    else:
        del parent[_index(parent, path[-1], len(parent))]
    return document
