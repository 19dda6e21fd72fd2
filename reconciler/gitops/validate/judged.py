"""A set of documents of which each was judged by itself: what checking the whole needs to know of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from reconciler.api.objects import GroupVersionKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from reconciler.api.objects import Key
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document, Origin
    from reconciler.gitops.validate.references import Facts

#: What is said by this rule is said once for a set, not for every document.
ONCE = "schema/cel-skipped"


class Verdict(NamedTuple):
    """What is known of one document by itself."""

    findings: tuple[Finding, ...]
    facts: Facts | None
    notice: tuple[str, str] | None
    defines: tuple[GroupVersionKind, ...] = ()  # the custom kinds that a schema is given for
    key: Key | None = None  # of a broken document, too


class Said(NamedTuple):
    """What the others must know of a document. Without facts it is broken; ``namespace`` is what is written in it."""

    key: Key | None
    facts: Facts | None
    namespace: str


class Judged(Protocol):
    """Documents by their numbers, from 0 in the order of the set. Every method may be asked again and again.

    What is known of a document need not lie in memory: whoever keeps something keeps its number.
    """

    def __len__(self) -> int: ...

    def document(self, number: int) -> Document:
        """Return a document; the same one, or an equal one."""

    def origin(self, number: int) -> Origin:
        """Return where a document stands."""

    def said(self, number: int) -> Said:
        """Return what others must know of a document."""

    def all_said(self) -> Iterator[Said]:
        """Yield the same for every document."""

    def told(self) -> Iterator[tuple[int, Finding]]:
        """Yield what is wrong with documents by themselves, in any order, but for what is said once."""

    def once(self) -> Iterator[tuple[int, Finding]]:
        """Yield what is said once in a set: of every message at least the first, in order."""

    def notices(self) -> Iterator[tuple[int, str, str]]:
        """Yield rule and words of what is told of kinds: of all words at least the first, in order."""

    def defined(self) -> Iterator[tuple[int, Collection[GroupVersionKind]]]:
        """Yield the documents that define kinds, and which."""

    def of_kinds(
        self, kinds: Collection[GroupVersionKind]
    ) -> Iterator[tuple[int, GroupVersionKind]]:
        """Yield the documents of some kinds, and which."""


class Listed:
    """A set that lies in memory: ``Judged``."""

    def __init__(self, documents: Sequence[Document], verdicts: Sequence[Verdict]) -> None:
        self._documents = documents
        self._verdicts = verdicts

    def __len__(self) -> int:
        return len(self._documents)

    def document(self, number: int) -> Document:
        return self._documents[number]

    def origin(self, number: int) -> Origin:
        return self._documents[number].origin

    def said(self, number: int) -> Said:
        return _said(self._documents[number], self._verdicts[number])

    def all_said(self) -> Iterator[Said]:
        return map(_said, self._documents, self._verdicts)

    def told(self) -> Iterator[tuple[int, Finding]]:
        for number, verdict in enumerate(self._verdicts):
            for finding in verdict.findings:
                if finding.rule != ONCE:
                    yield number, finding

    def once(self) -> Iterator[tuple[int, Finding]]:
        for number, verdict in enumerate(self._verdicts):
            for finding in verdict.findings:
                if finding.rule == ONCE:
                    yield number, finding

    def notices(self) -> Iterator[tuple[int, str, str]]:
        for number, verdict in enumerate(self._verdicts):
            if verdict.notice is not None:
                yield number, *verdict.notice

    def defined(self) -> Iterator[tuple[int, Collection[GroupVersionKind]]]:
        for number, verdict in enumerate(self._verdicts):
            if verdict.defines:
                yield number, verdict.defines

    def of_kinds(
        self, kinds: Collection[GroupVersionKind]
    ) -> Iterator[tuple[int, GroupVersionKind]]:
        for number, document in enumerate(self._documents):
            kind = GroupVersionKind.parse(document.name.api_version, document.name.kind)
            if kind in kinds:
                yield number, kind


class Rejudged:
    """A set in which some documents were judged once more: ``Judged``. What is told of those is not told here."""

    def __init__(self, judged: Judged, verdicts: Mapping[int, Verdict]) -> None:
        self._judged = judged
        self._verdicts = verdicts

    def __len__(self) -> int:
        return len(self._judged)

    def document(self, number: int) -> Document:
        return self._judged.document(number)

    def origin(self, number: int) -> Origin:
        return self._judged.origin(number)

    def said(self, number: int) -> Said:
        return self._newer(number, self._judged.said(number))

    def all_said(self) -> Iterator[Said]:
        for number, said in enumerate(self._judged.all_said()):
            yield self._newer(number, said)

    def told(self) -> Iterator[tuple[int, Finding]]:
        return (one for one in self._judged.told() if one[0] not in self._verdicts)

    def once(self) -> Iterator[tuple[int, Finding]]:
        return (one for one in self._judged.once() if one[0] not in self._verdicts)

    def notices(self) -> Iterator[tuple[int, str, str]]:
        return (one for one in self._judged.notices() if one[0] not in self._verdicts)

    def defined(self) -> Iterator[tuple[int, Collection[GroupVersionKind]]]:
        return self._judged.defined()

    def of_kinds(
        self, kinds: Collection[GroupVersionKind]
    ) -> Iterator[tuple[int, GroupVersionKind]]:
        return self._judged.of_kinds(kinds)

    def _newer(self, number: int, said: Said) -> Said:
        verdict = self._verdicts.get(number)
        return said if verdict is None else said._replace(key=verdict.key, facts=verdict.facts)


def _said(document: Document, verdict: Verdict) -> Said:
    return Said(verdict.key, verdict.facts, document.name.namespace)
