"""Which kind an object is of, and which key it has: also one of a defined type, or without a name yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import Key, Object
from reconciler.errors import AlreadyExists, BadRequest, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.kinds import Kind
    from reconciler.clock import Entropy
    from reconciler.registry.log import RevisionLog

#: So often another name is tried where the one made is taken (M05).
TRIES = 8
#: Letters of ``generateName`` that are kept before the five random ones.
LONGEST_PREFIX = 58


def kind_of(obj: Object, definitions: Iterable[Object]) -> Kind:
    """Return an object's kind; of one that the table lacks, as its CustomResourceDefinition has it.

    Raises ``BadRequest`` for an object without a kind.
    """
    kind = kinds.kind_of(obj)
    if not kind.kind or not kind.version:
        raise BadRequest("an object needs apiVersion and kind")
    if kind.known:
        return kind
    for definition in definitions:
        spec = definition.get("spec") or {}
        names = spec.get("names") or {}
        if spec.get("group") == kind.group and names.get("kind") == kind.kind:
            return kind._replace(
                plural=names.get("plural", kind.plural), namespaced=spec.get("scope") != "Cluster"
            )
    return kind


def key_of(kind: Kind, name: str, namespace: str) -> Key:
    """Return the key of an object that a request names."""
    return Key(kind.group, kind.kind, namespace if kind.namespaced else "", name)


def place_in_namespace(obj: Object, kind: Kind) -> None:
    """Give an object the namespace that it belongs into."""
    meta = obj["metadata"]
    if not kind.namespaced:
        meta.pop("namespace", None)
    elif not meta.get("namespace"):
        meta["namespace"] = "default"


def name(obj: Object, kind: Kind, log: RevisionLog, entropy: Entropy) -> Key:
    """Return a new object's key, its name generated where it asks for that (M05).

    Raises ``Invalid`` for an object without a name, ``AlreadyExists`` when no free name is found.
    """
    meta = obj["metadata"]
    if meta.get("name"):
        return Key.of(obj)
    base = meta.get("generateName")
    if not base:
        raise Invalid(
            f'{kind.kind} "" is invalid: metadata.name: Required value: name or generateName is required',
            kind=kind.kind, group=kind.group,
        )  # fmt: skip
    for _ in range(TRIES):
        meta["name"] = str(base)[:LONGEST_PREFIX] + entropy.suffix()
        key = Key.of(obj)
        if log.head(key) is None:
            return key
    raise AlreadyExists(f"no free name found for {base!r}: try again", kind=kind.plural)
