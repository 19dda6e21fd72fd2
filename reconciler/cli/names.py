"""Kinds and names as users type them: ``po``, ``deploy/web``, ``pods,services``, ``all``."""

from __future__ import annotations

from typing import NamedTuple

import click

from reconciler.api import kinds


class Target(NamedTuple):
    """A kind, and a name (empty: all of them)."""

    kind: kinds.Kind
    name: str = ""


def kind_of(word: str) -> kinds.Kind:
    """Return the kind that a word means. Raises ``click.UsageError``."""
    found = kinds.resolve(word)
    if found is None:
        raise click.UsageError(f"{word!r} is no kind known here")
    return found


def targets(words: tuple[str, ...]) -> list[Target]:
    """Return what ``KIND [NAME…]``, ``KIND/NAME …`` or ``KIND,KIND`` name."""
    first, rest = words[0], words[1:]
    if "/" in first:
        return [_pair(word) for word in words]
    if first == "all":
        return [Target(k) for k in kinds.KINDS if "all" in k.categories]
    found = [kind_of(word) for word in first.split(",") if word]
    for name in rest:
        if "/" in name:
            raise click.UsageError(f"{name!r}: KIND/NAME is written without a kind before it")
    if not rest:
        return [Target(k) for k in found]
    return [Target(k, name) for k in found for name in rest]


def _pair(word: str) -> Target:
    kind, _, name = word.partition("/")
    if not name or "/" in name:
        raise click.UsageError(f"{word!r}: expected KIND/NAME")
    return Target(kind_of(kind), name)


def one(words: tuple[str, ...]) -> Target:
    """Return the one object that ``KIND/NAME`` or ``KIND NAME`` names. Raises ``click.UsageError``."""
    found = targets(words)
    if len(found) != 1 or not found[0].name:
        raise click.UsageError("name one object: KIND/NAME")
    return found[0]
