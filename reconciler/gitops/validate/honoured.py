"""Fields of a Pod that the runtime does not act on: each is told, none is ignored in silence (decision 4). Pure."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.render.reader import Path


def not_honoured(document: Document, honoured: frozenset[str]) -> Iterator[Finding]:
    """Yield a warning for every field that is used and not honoured."""
    if "spec" in honoured:
        return
    found = pod_spec_of(document.object)
    if found is None:
        return
    path, spec = found
    for inside, dotted, value in _unknown(spec, "spec", (), honoured):
        others = " or ".join(_values(honoured).get(dotted, ()))
        told = f"{dotted} is not honoured by this runtime: it has no effect"
        if others:
            told = f"{dotted}: {_text(value)} is not honoured by this runtime, only {others}"
        yield document.finding("runtime/not-honoured", "warning", told, (*path, *inside))


def _unknown(
    value: Any, dotted: str, path: Path, honoured: frozenset[str]
) -> Iterator[tuple[Path, str, Any]]:
    if dotted in honoured or value in (None, {}, [], ""):
        return
    some = _values(honoured).get(dotted)
    if some and _text(value) in some:
        return
    if isinstance(value, list) and all(isinstance(v, dict) for v in value):
        for index, item in enumerate(value):
            yield from _unknown(item, dotted, (*path, index), honoured)
    elif isinstance(value, dict) and dotted in _parents(honoured):
        for key, item in value.items():
            yield from _unknown(item, f"{dotted}.{key}", (*path, key), honoured)
    else:
        yield path, dotted, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


@functools.lru_cache(maxsize=8)
def _values(honoured: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return, of fields of which only some values are honoured, those values."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in sorted(honoured):
        dotted, is_value, value = entry.partition("=")
        if is_value:
            found[dotted] = (*found.get(dotted, ()), value)
    return found


@functools.lru_cache(maxsize=8)
def _parents(honoured: frozenset[str]) -> frozenset[str]:
    """Return the fields inside of which some are honoured."""
    found: set[str] = set()
    for dotted in honoured:
        parts = dotted.split(".")
        found.update(".".join(parts[:n]) for n in range(1, len(parts)))
    return frozenset(found)
