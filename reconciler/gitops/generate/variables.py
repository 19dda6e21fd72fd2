"""The variables of ``spec.source.postBuild``: ConfigMaps and Secrets in order, then ``substitute``, which wins."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.objects import Key, Object
from reconciler.errors import RenderError
from reconciler.gitops.render.expression import is_name
from reconciler.gitops.render.substitute import Variables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Lookup = Callable[[kinds.Kind, str, str], Awaitable[Object | None]]

_KINDS = {"ConfigMap": kinds.CONFIG_MAP, "Secret": kinds.SECRET}


def references_of(source: Mapping[str, Any], namespace: str) -> frozenset[Key]:
    """Return the objects that a source's variables come from."""
    given = (source.get("postBuild") or {}).get("substituteFrom") or ()
    return frozenset(Key("", str(r.get("kind")), namespace, str(r.get("name"))) for r in given)


async def variables_of(
    source: Mapping[str, Any], namespace: str, lookup: Lookup
) -> Variables | None:
    """Return what expressions may name; None where the source asks for no substitution.

    Objects are looked up in ``namespace``, the Application's destination. Raises ``RenderError`` for one that is not
    there and not ``optional``. As with Flux, later ones win over earlier ones; keys that are no names are passed over.
    """
    post_build = source.get("postBuild")
    if post_build is None:
        return None
    found: dict[str, str] = {}
    for number, reference in enumerate(post_build.get("substituteFrom") or ()):
        field = f"spec.source.postBuild.substituteFrom[{number}]"
        kind, name = str(reference.get("kind")), str(reference.get("name"))
        if kind not in _KINDS:
            raise RenderError(f"{field}.kind: expected ConfigMap or Secret, got {kind}")
        obj = await lookup(_KINDS[kind], namespace, name)
        if obj is not None:
            found.update((k, v) for k, v in _data(obj, field).items() if is_name(k))
        elif not reference.get("optional"):
            told = (
                f"{field}: there is no {kind} {namespace}/{name}; create it, or say optional: true"
            )
            raise RenderError(told)
    for key, value in (post_build.get("substitute") or {}).items():
        if not is_name(key):
            raise RenderError(f"spec.source.postBuild.substitute: {key!r} is no name: expected letters, digits and _")  # fmt: skip
        found[key] = _text(value)
    return Variables(found, strict=bool(post_build.get("strict")))


def _data(obj: Object, field: str) -> dict[str, str]:
    data = obj.get("data") or {}
    if obj.get("kind") != "Secret":
        return {k: str(v) for k, v in data.items()}
    try:
        return {k: base64.b64decode(v).decode() for k, v in data.items()}
    except (binascii.Error, UnicodeDecodeError, TypeError):
        raise RenderError(f"{field}: a value of the Secret is not text") from None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
