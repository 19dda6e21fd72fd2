"""Checking what was read as one set, each unchanged file only once ever."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cli.validate import cache as caching
from reconciler.cli.validate.checked import Checked
from reconciler.cli.validate.findings import Findings
from reconciler.gitops.source.selection import is_built

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.cli.validate.blocks import Block
    from reconciler.cli.validate.cache import VerdictCache
    from reconciler.cli.validate.load import Options, Read


def check(
    read: Sequence[Read],
    options: Options,
    *,
    cache: VerdictCache | None = None,
    jobs: int | None = None,
    whole: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Checked:
    """Check several paths as one set: what one of them names may lie in another. Raises ``SourceError``.

    ``jobs`` worker processes at most (None: as many as are worth it); ``whole``: with every document.
    """
    if any(is_built(one.snapshot.files) for one in read):
        cache = None  # what a tool writes depends on more than is known here
    if options.checks is not None and not options.checks.schemas.stable:
        cache = None
    if cache is None:
        return _made(read, options, None, jobs, progress)[1]
    given = (caching.code(), _given(options), options.key())
    of_files = f"files-{caching.digest((*given, *(one.naming for one in read)))[:40]}"
    earlier = cache.get(of_files)
    # Without an entry of files there is hardly one of the set: they are read when they are judged, and only then.
    known = cache.get(_name(read, given)) if earlier is not None and not whole else None
    if known is not None:
        documents, findings, commented = known
        return Checked(documents, Findings.of_plain(findings), frozenset(commented))
    made, checked = _made(read, options, earlier, jobs, progress)
    kept = [[tuple(block) for block in of_one] for of_one in made]
    if kept != earlier:
        cache.put(of_files, kept)
    cache.put(
        _name(read, given),
        (checked.documents, checked.findings.to_plain(), sorted(checked.commented)),
    )
    return checked


def _made(
    read: Sequence[Read],
    options: Options,
    earlier: Sequence[Sequence[Any]] | None,
    jobs: int | None,
    progress: Callable[[int], None],
) -> tuple[list[list[Block]], Checked]:
    # Imported here: what judges is not needed where all is known.
    from reconciler.cli.validate.joining import blocks_of, joined

    made = blocks_of(read, options, earlier, jobs, progress)
    return made, joined(read, made, options)


def _name(read: Sequence[Read], given: Sequence[str]) -> str:
    """Return the name of the entry of a whole set. Files that were not read are."""
    contents = (
        part
        for one in read
        for part in (
            one.naming, *one.snapshot.problems,
            *(f"{path} {file.digest}" for path, file in one.snapshot.files.items()),
        )
    )  # fmt: skip
    return f"set-{caching.digest(itertools.chain(given, contents))[:40]}"


def _given(options: Options) -> str:
    """Return a digest of the values files that lie outside of what is checked."""
    names = (json.loads(options.source).get("templates") or {}).get("values") or ()
    return caching.digest(Path(n).read_bytes() if Path(n).is_file() else "" for n in names)
