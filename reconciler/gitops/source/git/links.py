"""Symbolic links in a repository's tree, followed within it: nothing is ever checked out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.gitops.source.snapshot import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: A chain of links longer than this goes round in a circle (Linux's own limit).
LONGEST_CHAIN = 40
#: Links may show other files at so many further paths.
MOST_ALIASES = 20_000


class Followed(NamedTuple):
    """Paths that exist through links, each with the file that is there, and links that cannot be followed."""

    aliases: dict[str, str]
    problems: dict[str, Problem]


class OutsideError(Exception):
    """A link leads out of the tree."""


class LoopError(Exception):
    """A link leads back to itself."""


def resolve(path: str, links: Mapping[str, str]) -> str:
    """Return where a path leads, as the kernel would; raises ``OutsideError`` or ``LoopError``.

    >>> resolve("now/web.yaml", {"now": "releases/2"})
    'releases/2/web.yaml'
    """
    pending = path.split("/")[::-1]
    done: list[str] = []
    hops = 0
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                raise OutsideError
            done.pop()
            continue
        target = links.get("/".join([*done, part]))
        if target is None:
            done.append(part)
            continue
        hops += 1
        if hops > LONGEST_CHAIN:
            raise LoopError
        if target.startswith("/"):
            raise OutsideError
        pending += target.split("/")[::-1]
    return "/".join(done)


def follow(links: Mapping[str, str], paths: Iterable[str]) -> Followed:
    """Return what links (path → target) show of the tree's files, and which lead nowhere good."""
    files = [p for p in paths if p not in links]
    there = set(files)
    aliases: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for link in sorted(links):
        try:
            target = resolve(link, links)
        except OutsideError:
            told = "a symbolic link leads outside of the source"
            problems[link] = Problem(link, "source/outside", told)
            continue
        except LoopError:
            told = "a symbolic link leads back to itself"
            problems[link] = Problem(link, "source/loop", told)
            continue
        if target in there:
            aliases[link] = target
            continue
        if not target or link.startswith(target + "/"):
            continue  # back to a directory above: its files are already there
        below = target + "/"
        for path in files:
            if path.startswith(below):
                aliases[link + path[len(target) :]] = path
        if len(aliases) > MOST_ALIASES:
            told = f"symbolic links show more than {MOST_ALIASES} files"
            problems[link] = Problem(link, "source/too-many-links", told)
            break
    return Followed(aliases, problems)
