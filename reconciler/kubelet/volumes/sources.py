"""The files of volumes that come from the API: configMap, secret, downwardAPI, projected (P29). Pure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds
from reconciler.api.tokens import DEFAULT_SECONDS
from reconciler.errors import RuntimeFailure
from reconciler.kubelet import fields
from reconciler.kubelet.environment import data_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

#: The fields of a volume that comes from the API.
API_SOURCES = ("configMap", "secret", "projected", "downwardAPI")


class FileEntry(NamedTuple):
    """One file of a volume that comes from the API; its owner is ``user`` where that is not None."""

    data: bytes
    mode: int
    user: int | None = None


def entries_of(
    pod: Object, volume: dict[str, Any], snapshot: Snapshot, values: fields.PodValues
) -> dict[str, FileEntry]:
    """Return the files of a volume that comes from the API, by their relative path."""
    if "projected" in volume:
        source = volume["projected"]
        mode = int(source.get("defaultMode", 0o644))
        entries: dict[str, FileEntry] = {}
        for part in source.get("sources") or ():
            entries.update(_source_entries(pod, part, snapshot, values, mode))
        return entries
    kind = next(k for k in API_SOURCES if k in volume)
    mode = int(volume[kind].get("defaultMode", 0o644))
    return _source_entries(pod, volume, snapshot, values, mode)


def _source_entries(
    pod: Object,
    source: dict[str, Any],
    snapshot: Snapshot,
    values: fields.PodValues,
    mode: int,
) -> dict[str, FileEntry]:
    namespace = pod["metadata"]["namespace"]
    if "downwardAPI" in source:
        return _downward(pod, source["downwardAPI"], values, mode)
    if "serviceAccountToken" in source:
        return _token(pod, source["serviceAccountToken"], values, mode)
    for field, kind, name_field in (
        ("configMap", kinds.CONFIG_MAP, "name"),
        ("secret", kinds.SECRET, "secretName"),
    ):
        if field in source:
            part = source[field]
            name = part.get(name_field) or part.get("name") or ""
            found = snapshot.get(kind, namespace, name)
            if found is None and not part.get("optional"):
                raise RuntimeFailure(f'{field.lower()} "{name}" not found', reason="FailedMount")
            data = data_of(found) if found is not None else {}
            return _items(data, part, mode, f"{field.lower()} {namespace}/{name}")
    kind_name = next(iter(source), "nothing")
    raise RuntimeFailure(
        f"projected {kind_name} sources are not available here", reason="FailedMount"
    )


def _items(
    data: Mapping[str, bytes], part: dict[str, Any], mode: int, what: str
) -> dict[str, FileEntry]:
    items = part.get("items")
    if not items:
        return {key: FileEntry(value, mode) for key, value in data.items()}
    entries = {}
    for item in items:
        if item["key"] in data:
            path = _inside(item["path"])
            entries[path] = FileEntry(data[item["key"]], int(item.get("mode", mode)))
        elif not part.get("optional"):
            raise RuntimeFailure(
                f"{what} references non-existent key: {item['key']}", reason="FailedMount"
            )
    return entries


def _downward(
    pod: Object, part: dict[str, Any], values: fields.PodValues, mode: int
) -> dict[str, FileEntry]:
    entries = {}
    for item in part.get("items") or ():
        if "fieldRef" in item:
            text = fields.field_ref(pod, item["fieldRef"]["fieldPath"], values)
        else:
            text = fields.resource_ref(pod, {}, item["resourceFieldRef"], values)
        entries[_inside(item["path"])] = FileEntry(text.encode(), int(item.get("mode", mode)))
    return entries


def _token(
    pod: Object, part: dict[str, Any], values: fields.PodValues, mode: int
) -> dict[str, FileEntry]:
    """Return the file of a token: where the Pod has one user or a group of its own, nobody else may read it."""
    token = values.tokens.get(token_key(part))
    if token is None:
        raise RuntimeFailure("no tokens of ServiceAccounts are issued here", reason="FailedMount")
    user = _only_user(pod)
    if user is not None or (pod["spec"].get("securityContext") or {}).get("fsGroup") is not None:
        mode = 0o600
    return {_inside(part["path"]): FileEntry(token.text.encode(), mode, user)}


def token_key(part: dict[str, Any]) -> tuple[str, int]:
    """Return what tells a projected token from others: its audience and its lifetime in seconds."""
    return part.get("audience") or "", int(part.get("expirationSeconds") or DEFAULT_SECONDS)


def _only_user(pod: Object) -> int | None:
    """Return the runAsUser that all containers of a Pod have; None where they differ or some name none."""
    spec = pod["spec"]
    whole = (spec.get("securityContext") or {}).get("runAsUser")
    everyone = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    users = {(c.get("securityContext") or {}).get("runAsUser", whole) for c in everyone}
    return users.pop() if len(users) == 1 else None


def _inside(path: str) -> str:
    """Refuse a path that leads out of its volume, or that no file can have."""
    if "\0" in path:
        raise RuntimeFailure(f"no file can be called {path!r}", reason="FailedMount")
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or path.startswith(".."):
        raise RuntimeFailure(f"the path {path!r} leads out of its volume", reason="FailedMount")
    return str(pure)
