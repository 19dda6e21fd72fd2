"""Checking what was read as one set, each unchanged file only once ever."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cli.building import build, located
from reconciler.cli.validate import blocks, making
from reconciler.cli.validate.blocks import Block
from reconciler.cli.validate.findings import Findings, ordered
from reconciler.cli.validate.known import Built, KnownSet, Segment
from reconciler.gitops.source.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.cli.validate.cache import VerdictCache
    from reconciler.cli.validate.load import Options, Read
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import Checks


class Checked(NamedTuple):
    """What was found. ``judged`` are the documents; None where the whole is known from an earlier run.

    ``commented`` are the names of the files that hold a comment for us.
    """

    documents: int
    findings: Findings
    commented: frozenset[str] = frozenset()
    judged: KnownSet | None = None


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
    from reconciler.cli.validate import cache as caching

    if any(_has_tool(one.snapshot) for one in read):
        cache = None  # what a tool writes depends on more than is known here
    if options.checks is not None and not options.checks.schemas.stable:
        cache = None
    if cache is None:
        return _joined(read, _blocks(read, options, None, jobs, progress), options)
    given = (caching.code(), _given(options), options.key())
    of_files = f"files-{caching.digest((*given, *(one.naming for one in read)))[:40]}"
    earlier = cache.get(of_files)
    # Without an entry of files there is hardly one of the set: they are read when they are judged, and only then.
    known = cache.get(_name(read, given)) if earlier is not None and not whole else None
    if known is not None:
        documents, findings, commented = known
        return Checked(documents, Findings.of_plain(findings), frozenset(commented))
    made = _blocks(read, options, earlier, jobs, progress)
    checked = _joined(read, made, options)
    kept = [[tuple(block) for block in of_one] for of_one in made]
    if kept != earlier:
        cache.put(of_files, kept)
    cache.put(
        _name(read, given),
        (checked.documents, checked.findings.to_plain(), sorted(checked.commented)),
    )
    return checked


def _name(read: Sequence[Read], given: Sequence[str]) -> str:
    """Return the name of the entry of a whole set. Files that were not read are."""
    from reconciler.cli.validate.cache import digest

    contents = (
        part
        for one in read
        for part in (
            one.naming, *one.snapshot.problems,
            *(f"{path} {file.digest}" for path, file in one.snapshot.files.items()),
        )
    )  # fmt: skip
    return f"set-{digest(itertools.chain(given, contents))[:40]}"


def _has_tool(snapshot: Snapshot) -> bool:
    """Whether Kustomize or Helm makes a source's manifests: its files are none themselves."""
    from reconciler.gitops.source.selection import CHART, KUSTOMIZATIONS

    return any(name in snapshot.files for name in (*KUSTOMIZATIONS, CHART))


def _given(options: Options) -> str:
    """Return a digest of the values files that lie outside of what is checked."""
    from reconciler.cli.validate.cache import digest

    names = (json.loads(options.source).get("templates") or {}).get("values") or ()
    return digest(Path(n).read_bytes() if Path(n).is_file() else "" for n in names)


def _source(one: Read, options: Options) -> dict[str, Any]:
    """Return an Application's ``spec.source`` for what lies at one path."""
    return located(json.loads(options.source), Path(one.naming.given))


def _passed_over(one: Read, options: Options) -> frozenset[str]:
    """Return the files that hold values, and are no manifests."""
    source = _source(one, options)
    if not (source.get("templates") or {}).get("values"):
        return frozenset()
    from reconciler.gitops.generate import values_of

    return values_of(source, one.snapshot.files).files


def _blocks(
    read: Sequence[Read],
    options: Options,
    earlier: Sequence[Sequence[Any]] | None,
    jobs: int | None,
    progress: Callable[[int], None],
) -> list[list[Block]]:
    """Return the blocks of what lies at each path; those of an earlier run where nothing changed."""
    from reconciler.runtime.process.fields import HONOURED

    result: list[list[Block]] = []
    for number, one in enumerate(read):
        if _has_tool(one.snapshot):
            result.append([])
            continue
        files, passed = one.snapshot.files, _passed_over(one, options)
        before = [Block._make(block) for block in earlier[number]] if earlier is not None else []
        maker = making.Maker(files, HONOURED, options.checks)
        units = list(making.units((path for path in files if path not in passed), before))
        todo = [unit for unit in units if not maker.known(unit)]
        several = jobs if jobs is not None else making.jobs_for(_size(files, todo))
        made = iter(making.make(maker, todo, several, progress))
        new = {id(unit) for unit in todo}
        result.append([next(made) if id(unit) in new else _earlier(unit) for unit in units])
        if several > 1 and isinstance(files, Listing):
            for block in result[-1]:
                for head in blocks.heads(block):
                    files.learn(head.path, bytes.fromhex(head.digest))
    return result


def _earlier(unit: making.Unit) -> Block:
    assert unit.earlier is not None  # noqa: S101 - it is known
    return unit.earlier


def _size(files: Mapping[str, File], units: Iterable[making.Unit]) -> int:
    """Return how many bytes there are to be judged."""
    paths = (path for unit in units for path in unit.paths)
    if isinstance(files, Listing):
        return sum(map(files.size, paths))
    return sum(files[path].size for path in paths)


def _joined(read: Sequence[Read], made: Sequence[Sequence[Block]], options: Options) -> Checked:
    """Put together what is known of files, and check what they say of one another."""
    from reconciler.gitops.validate import Checks, put_together
    from reconciler.runtime.process.fields import HONOURED

    checks = Checks() if options.checks is None else options.checks
    segments: list[Segment] = []
    findings: list[Finding] = []
    for one, of_one in zip(read, made, strict=True):
        built, told = _built(one, of_one, options, checks)
        findings += told
        parts: Sequence[Block | None] = [None] if _has_tool(one.snapshot) else of_one
        files, name = one.snapshot.files, one.naming.of
        segments += (Segment(files, name, part, built) for part in parts)
    judged = KnownSet(segments)
    together = put_together(
        judged, references=options.references, honoured=HONOURED, checks=checks
    )  # fmt: skip
    every = (findings, judged.of_files(), together.alone(judged.told()), together.findings)
    return Checked(
        len(judged),
        ordered(itertools.chain.from_iterable(every)),
        frozenset(name for pair in zip(read, made, strict=True) for name in _commented(*pair)),
        judged,
    )


def _built(
    one: Read, made: Sequence[Block], options: Options, checks: Checks
) -> tuple[dict[str, list[Built]], list[Finding]]:
    """Build what is in no record; returns documents by path, and what is wrong with files."""
    from reconciler.gitops.validate import judge
    from reconciler.runtime.process.fields import HONOURED

    snapshot = one.snapshot
    if not _has_tool(snapshot):
        rest = {path for block in made for path in block.partial} | _passed_over(one, options)
        snapshot = snapshot._replace(files={path: snapshot.files[path] for path in sorted(rest)})
    rendered = build(snapshot, _source(one, options))
    documents: dict[str, list[Built]] = {}
    for document in rendered.documents:
        named = document.named(one.naming.of(document.origin.file))
        verdict = judge(named, honoured=HONOURED, checks=checks)
        documents.setdefault(document.origin.file, []).append(Built(named, verdict))
    return documents, [f._replace(file=one.naming.of(f.file)) for f in rendered.findings]


def _commented(one: Read, made: Sequence[Block]) -> Iterator[str]:
    """Yield the names of the files that hold a comment for us."""
    from reconciler.gitops.ignores import MARK

    if _has_tool(one.snapshot):
        found = (path for path, file in one.snapshot.files.items() if MARK in file.data)
    else:
        heads = (head for block in made if "comments" in block.says for head in blocks.heads(block))
        found = (head.path for head in heads if head.commented)
    yield from map(one.naming.of, found)
