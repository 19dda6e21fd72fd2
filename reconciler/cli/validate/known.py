"""A set whose documents lie in blocks and are opened when asked for: ``Judged``, with hardly anything in memory."""

from __future__ import annotations

import bisect
import functools
import itertools
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import GroupVersionKind
from reconciler.cli.validate import blocks
from reconciler.gitops.finding import ObjectName
from reconciler.gitops.render.document import Document, Origin, Positions
from reconciler.gitops.validate.judged import ONCE, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from reconciler.cli.validate.blocks import Block, Plain
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.source import File
    from reconciler.gitops.validate import Verdict

#: So many blocks are open at a time for whoever asks for single documents.
_OPEN = 8


class Built(NamedTuple):
    """A document that lies in memory, as one of a template does."""

    document: Document
    verdict: Verdict


class Segment(NamedTuple):
    """Documents that follow one another: a block's, with those of its partial files, or of a whole source that a tool made.

    ``name`` gives a file's name as from here.
    """

    files: Mapping[str, File]
    name: Callable[[str], str]
    block: Block | None
    built: Mapping[str, Sequence[Built]]

    @property
    def documents(self) -> int:
        if self.block is None:
            return sum(map(len, self.built.values()))
        own = sum(len(self.built.get(path, ())) for path in self.block.partial)
        return self.block.documents + own


class _One(NamedTuple):
    """A document of a segment; of a block's, its number there, and what lies there."""

    number: int
    plain: Plain | None
    path: str
    built: Built | None = None


class KnownSet:
    """Segments as one set."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._starts = [0]
        for segment in segments:
            self._starts.append(self._starts[-1] + segment.documents)
        self._open = functools.lru_cache(_OPEN)(lambda at: tuple(_documents(segments[at])))

    def __len__(self) -> int:
        return self._starts[-1]

    def document(self, number: int) -> Document:
        segment, one = self._at(number)
        if one.built is not None:
            return one.built.document
        origin, name = _origin(segment, one), ObjectName._make(one.plain[2]) if one.plain else None
        return Document(None, origin, Positions(segment.files[one.path]), name)

    def origin(self, number: int) -> Origin:
        return _origin(*self._at(number))

    def origins(self) -> Iterator[Origin]:
        """Yield where every document stands."""
        for segment in self._segments:
            for one in _documents(segment):
                yield _origin(segment, one)

    def said(self, number: int) -> Said:
        return _said(self._at(number)[1])

    def all_said(self) -> Iterator[Said]:
        # Whoever asks for a document while going through the set finds its block open.
        for at in range(len(self._segments)):
            yield from map(_said, self._open(at))

    def told(self) -> Iterator[tuple[int, Finding]]:
        for number, finding in self._told("documents"):
            if number >= 0 and finding.rule != ONCE:
                yield number, finding

    def of_files(self) -> Iterator[Finding]:
        """Yield what is wrong with files as files, but for those that were built."""
        return (finding for number, finding in self._told("files") if number < 0)

    def once(self) -> Iterator[tuple[int, Finding]]:
        return ((n, f) for n, f in self._told("once") if n >= 0 and f.rule == ONCE)

    def notices(self) -> Iterator[tuple[int, str, str]]:
        for at, segment in enumerate(self._segments):
            if segment.block is not None and "notices" in segment.block.says:
                numbers = self._numbers(at)
                for number, rule, words in blocks.notes(segment.block).notices:
                    yield numbers(number), rule, words
            for number, one in self._built(at):
                if one.verdict.notice is not None:
                    yield number, *one.verdict.notice

    def defined(self) -> Iterator[tuple[int, Collection[GroupVersionKind]]]:
        yield from self._defined

    @functools.cached_property
    def _defined(self) -> list[tuple[int, Collection[GroupVersionKind]]]:
        """The few documents that define kinds: they are asked for again and again."""
        return list(self._look_for_definitions())

    def _look_for_definitions(self) -> Iterator[tuple[int, Collection[GroupVersionKind]]]:
        for at, segment in enumerate(self._segments):
            if segment.block is not None and "defines" in segment.block.says:
                numbers = self._numbers(at)
                for number, kinds in blocks.notes(segment.block).defines:
                    yield numbers(number), kinds
            for number, one in self._built(at):
                if one.verdict.defines:
                    yield number, one.verdict.defines

    def of_kinds(
        self, kinds: Collection[GroupVersionKind]
    ) -> Iterator[tuple[int, GroupVersionKind]]:
        wanted = {(kind.api_version, kind.kind) for kind in kinds}
        for at, segment in enumerate(self._segments):
            inside = blocks.notes(segment.block).kinds if segment.block is not None else frozenset()
            if (
                segment.block is not None
                and wanted.isdisjoint(inside)
                and not segment.block.partial
            ):
                continue
            for number, one in enumerate(_documents(segment), self._starts[at]):
                name = (
                    one.plain[2] if one.plain is not None else one.built and one.built.document.name
                )
                if name and tuple(name[:2]) in wanted:
                    yield number, GroupVersionKind.parse(name[0], name[1])

    def _at(self, number: int) -> tuple[Segment, _One]:
        at = bisect.bisect_right(self._starts, number) - 1
        return self._segments[at], self._open(at)[number - self._starts[at]]

    def _told(self, sort: str) -> Iterator[tuple[int, Finding]]:
        """Yield what is wrong with documents by themselves, and with files (number -1), where a sort of it is."""
        for at, segment in enumerate(self._segments):
            if segment.block is not None and sort in segment.block.says:
                numbers = self._numbers(at)
                for _, number, finding in blocks.told(segment.block):
                    named = finding._replace(file=segment.name(finding.file))
                    yield (numbers(number) if number >= 0 else -1), named
            for number, one in self._built(at):
                for finding in one.verdict.findings:
                    yield number, finding

    def _built(self, at: int) -> Iterator[tuple[int, Built]]:
        segment = self._segments[at]
        if segment.block is None or segment.block.partial:
            for number, one in enumerate(_documents(segment), self._starts[at]):
                if one.built is not None:
                    yield number, one.built

    def _numbers(self, at: int) -> Callable[[int], int]:
        """Return what gives the number in the set of a block's document: partial files' documents lie between them."""
        start, segment = self._starts[at], self._segments[at]
        if segment.block is not None and not segment.block.partial:
            return lambda number: start + number
        places = {
            one.number: number
            for number, one in enumerate(_documents(segment), start)
            if one.built is None
        }
        return places.__getitem__


def _documents(segment: Segment) -> Iterator[_One]:
    """Yield the documents of a segment in their order."""
    if segment.block is None:
        for path, several in segment.built.items():
            for built in several:
                yield _One(-1, None, path, built)
        return
    files, lying = blocks.opened(segment.block)
    documents = enumerate(lying)
    for path, whole, count in files:
        if whole:
            for number, plain in itertools.islice(documents, count):
                yield _One(number, plain, path)
        else:
            for built in segment.built.get(path, ()):
                yield _One(-1, None, path, built)


def _origin(segment: Segment, one: _One) -> Origin:
    if one.built is not None:
        return one.built.document.origin
    assert one.plain is not None  # noqa: S101 - it is one or the other
    return Origin(segment.name(one.path), *one.plain[1])


def _said(one: _One) -> Said:
    if one.built is not None:
        document, verdict = one.built
        return Said(verdict.key, verdict.facts, document.name.namespace)
    assert one.plain is not None  # noqa: S101 - it is one or the other
    return Said(*blocks.said(one.plain), one.plain[2][2])
