"""Fields of a Pod that the runtime does not act on: each is told, none is ignored in silence (decision 4). Pure."""

from __future__ import annotations

import functools
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
    for inside, dotted in _unknown(spec, "spec", (), honoured):
        told = f"{dotted} is not honoured by this runtime: it has no effect"
        yield document.finding("runtime/not-honoured", "warning", told, (*path, *inside))


def _unknown(
    value: Any, dotted: str, path: Path, honoured: frozenset[str]
) -> Iterator[tuple[Path, str]]:
    if dotted in honoured or value in (None, {}, [], ""):
        return
    if isinstance(value, list) and all(isinstance(v, dict) for v in value):
        for index, item in enumerate(value):
            yield from _unknown(item, dotted, (*path, index), honoured)
    elif isinstance(value, dict) and dotted in _parents(honoured):
        for key, item in value.items():
            yield from _unknown(item, f"{dotted}.{key}", (*path, key), honoured)
    else:
        yield path, dotted


@functools.lru_cache(maxsize=8)
def _parents(honoured: frozenset[str]) -> frozenset[str]:
    """Return the fields inside of which some are honoured."""
    found: set[str] = set()
    for dotted in honoured:
        parts = dotted.split(".")
        found.update(".".join(parts[:n]) for n in range(1, len(parts)))
    return frozenset(found)
