"""What is known of files is made, or taken from an earlier run, and put together as one set."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cli.building import build, located
from reconciler.cli.validate import blocks, making
from reconciler.cli.validate.blocks import Block
from reconciler.cli.validate.checked import Checked
from reconciler.cli.validate.findings import ordered
from reconciler.cli.validate.known import Built, KnownSet, Segment
from reconciler.gitops.source.listing import Listing
from reconciler.gitops.source.selection import is_built
from reconciler.gitops.validate import Checks, judge, put_together
from reconciler.runtime.process.fields import HONOURED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.cli.validate.load import Options, Read
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.source import File


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


def blocks_of(
    read: Sequence[Read],
    options: Options,
    earlier: Sequence[Sequence[Any]] | None,
    jobs: int | None,
    progress: Callable[[int], None],
) -> list[list[Block]]:
    """Return the blocks of what lies at each path; those of an earlier run where nothing changed."""
    result: list[list[Block]] = []
    for number, one in enumerate(read):
        if is_built(one.snapshot.files):
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


def joined(read: Sequence[Read], made: Sequence[Sequence[Block]], options: Options) -> Checked:
    """Put together what is known of files, and check what they say of one another."""
    checks = Checks() if options.checks is None else options.checks
    segments: list[Segment] = []
    findings: list[Finding] = []
    for one, of_one in zip(read, made, strict=True):
        built, told = _built(one, of_one, options, checks)
        findings += told
        parts: Sequence[Block | None] = [None] if is_built(one.snapshot.files) else of_one
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
    snapshot = one.snapshot
    if not is_built(snapshot.files):
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

    if is_built(one.snapshot.files):
        found = (path for path, file in one.snapshot.files.items() if MARK in file.data)
    else:
        heads = (head for block in made if "comments" in block.says for head in blocks.heads(block))
        found = (head.path for head in heads if head.commented)
    yield from map(one.naming.of, found)
