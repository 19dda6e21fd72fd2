"""What an object's annotations say it comes after: waves and depends-on, ours and others'. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.api.objects import Key, annotations_of
from reconciler.gitops.plan.order import WAVE_ANNOTATIONS

if TYPE_CHECKING:
    from reconciler.api.objects import Object

DEPENDS_ON = "reconciler.dev/depends-on"
CLI_UTILS_DEPENDS_ON = "config.kubernetes.io/depends-on"

_ORDERING = (*WAVE_ANNOTATIONS, DEPENDS_ON, CLI_UTILS_DEPENDS_ON)

_VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]+)?")


class BadDependency(ValueError):
    """A depends-on annotation that cannot be read; the message says what was expected."""


def is_ordered(obj: Object) -> bool:
    """Whether an object says by itself what it comes before or after: a wave, or what it depends on."""
    annotations = annotations_of(obj)
    return any(name in annotations for name in _ORDERING)


def depends_on(obj: Object) -> tuple[Key, ...]:
    """Return the objects that an object's annotations name, comma separated. Raises ``BadDependency``.

    Ours is ``group/version/Kind/namespace/name`` (``v1/Secret/default/db`` for the core group; without the namespace for
    a cluster-scoped kind); cli-utils' is ``group/namespaces/namespace/Kind/name``, ``group/Kind/name``, with an empty
    group for core.
    """
    annotations = annotations_of(obj)
    if not annotations:
        return ()
    found: dict[Key, None] = {}
    for name, parse in ((DEPENDS_ON, _ours), (CLI_UTILS_DEPENDS_ON, cli_utils_key)):
        text = annotations.get(name)
        if text is None:
            continue
        for part in text.split(","):
            key = parse(part.strip())
            if key is None:
                expected = (
                    "v1/Secret/NAMESPACE/NAME or GROUP/VERSION/KIND/NAMESPACE/NAME"
                    if name == DEPENDS_ON
                    else "GROUP/namespaces/NAMESPACE/KIND/NAME or GROUP/KIND/NAME"
                )
                raise BadDependency(f"{name}: {part.strip()!r} is not {expected}")
            found[key] = None
    return tuple(found)


def _ours(text: str) -> Key | None:
    parts = text.split("/")
    if not all(parts[1:]):
        return None
    if parts[0] and _VERSION.fullmatch(parts[0]):
        parts.insert(0, "")
    match parts:
        case [group, "namespaces", namespace, kind, name]:
            return Key(group, kind, namespace, name)
        case [group, version, kind, namespace, name] if _VERSION.fullmatch(version):
            return Key(group, kind, namespace, name)
        case [group, version, kind, name] if _VERSION.fullmatch(version):
            return Key(group, kind, "", name)
    return cli_utils_key(text)


def cli_utils_key(text: str) -> Key | None:
    """Read cli-utils' name of an object; None for what is none."""
    match text.split("/"):
        case [group, "namespaces", namespace, kind, name] if namespace and kind and name:
            return Key(group, kind, namespace, name)
        case [group, kind, name] if kind and name:
            return Key(group, kind, "", name)
    return None
