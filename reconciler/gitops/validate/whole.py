"""Checking a whole set: each document by itself, then what they say of one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import GroupVersionKind
from reconciler.gitops.finding import MOST_FINDINGS
from reconciler.gitops.validate.alone import check_alone
from reconciler.gitops.validate.checks import Checks, named
from reconciler.gitops.validate.definitions import (
    WithDefinitions,
    definition_of,
    finding_of,
    not_served,
)
from reconciler.gitops.validate.judged import ONCE, Judged, Listed, Rejudged, Verdict
from reconciler.gitops.validate.references import check_references, facts_of, key_of
from reconciler.gitops.validate.served import notice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from reconciler.api.objects import Key
    from reconciler.api.schemas import Validator
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document

_DEFAULT = Checks()


class ValidateCache:
    """What documents by themselves were found to be. Keep one for each source, beside its ``RenderCache``."""

    def __init__(self) -> None:
        # The document is kept so that its identity stays its own.
        self._known: dict[int, tuple[Document, Verdict]] = {}
        self._options: tuple[frozenset[str] | None, str, str] | None = None

    def verdicts(
        self,
        documents: Sequence[Document],
        honoured: frozenset[str] | None,
        namespace: str,
        checks: Checks = _DEFAULT,
    ) -> list[Verdict]:
        """Return what is known of each document; only those that are new are looked at."""
        options = (honoured, namespace, checks.key())
        known = self._known if self._options == options else {}
        found = [
            known.get(id(d)) or (d, judge(d, honoured=honoured, namespace=namespace, checks=checks))
            for d in documents
        ]
        self._known = {id(one[0]): one for one in found}
        self._options = (honoured, namespace, checks.key())
        return [verdict for _, verdict in found]


def validate(
    documents: Sequence[Document],
    *,
    references: bool = True,
    honoured: frozenset[str] | None = None,
    default_namespace: str = "default",
    exists: Callable[[Key], bool] | None = None,
    cache: ValidateCache | None = None,
    checks: Checks = _DEFAULT,
) -> tuple[Finding, ...]:
    """Return everything that is wrong, in the order of files and lines.

    ``honoured`` are the fields that the runtime acts on (None: do not check); ``exists`` says of an object outside
    of the set that it is there; ``checks`` says which rules count, and against which schemas.
    """
    cache = cache if cache is not None else ValidateCache()
    judged = Listed(documents, cache.verdicts(documents, honoured, default_namespace, checks))
    found = put_together(
        judged, references=references, honoured=honoured, namespace=default_namespace,
        exists=exists, checks=checks,
    )  # fmt: skip
    alone = found.alone(judged.told())
    return tuple(
        sorted(
            (*alone, *found.findings), key=lambda f: (f.file, f.line, f.column, f.rule, f.message)
        )
    )


class Together(NamedTuple):
    """What a set comes to as a whole: the findings that one document by itself does not tell."""

    findings: tuple[Finding, ...]
    replaced: Collection[int]
    references: bool
    checks: Checks

    def alone(self, told: Iterable[tuple[int, Finding]]) -> Iterator[Finding]:
        """Yield what counts of the findings of documents by themselves."""
        for number, finding in told:
            if number not in self.replaced:
                counted = _counted(finding, references=self.references, checks=self.checks)
                if counted is not None:
                    yield counted


def put_together(
    judged: Judged,
    *,
    references: bool = True,
    honoured: frozenset[str] | None = None,
    namespace: str = "default",
    exists: Callable[[Key], bool] | None = None,
    checks: Checks = _DEFAULT,
) -> Together:
    """Return what documents are to one another; of what they are by themselves, only what the others decide on."""
    replaced = _rejudged(judged, honoured, namespace, checks)
    whole = Rejudged(judged, replaced) if replaced else judged
    findings = [f for v in replaced.values() for f in v.findings if f.rule != ONCE]
    findings += _said_once(whole, replaced)
    of_replaced = ((n, *v.notice) for n, v in replaced.items() if v.notice is not None)
    findings += _of_kinds(judged, sorted((*whole.notices(), *of_replaced)))
    if references:
        findings += check_references(whole, exists or (lambda _: False))
    counted = (_counted(f, references=references, checks=checks) for f in findings)
    return Together(tuple(f for f in counted if f is not None), replaced, references, checks)


def _of_kinds(judged: Judged, notices: Iterable[tuple[int, str, str]]) -> Iterator[Finding]:
    """Yield what is told once of each kind; a version that the set's own definition does not serve, of every document."""
    told: set[str] = set()
    for number, rule, words in notices:
        if words in told:
            continue
        told.add(words)
        wrong = list(not_served(judged, number)) if rule == "schema/unknown-kind" else []
        yield from wrong
        if not wrong:
            yield judged.document(number).finding(rule, "info", words, ("kind",))


def _counted(finding: Finding, *, references: bool, checks: Checks) -> Finding | None:
    if not references and finding.rule.startswith("reference/"):
        return None
    return checks.apply(finding) if checks.levels else finding


def _rejudged(
    judged: Judged, honoured: frozenset[str] | None, namespace: str, checks: Checks
) -> dict[int, Verdict]:
    """Judge the custom resources of a set once more: what one may be is said by another document."""
    defining = list(judged.defined())
    kinds = {kind for _, defined in defining for kind in defined}
    used = list(judged.of_kinds(kinds)) if kinds else []
    if not used:
        return {}
    there = {kind for _, kind in used}
    custom: dict[GroupVersionKind, Validator] = {}
    for number, defined in defining:
        if not there.isdisjoint(defined):  # the other definitions are not read again
            custom |= definition_of(judged.document(number).object).kinds
    own = checks._replace(schemas=WithDefinitions(custom, checks.schemas))
    return {
        number: judge(judged.document(number), honoured=honoured, namespace=namespace, checks=own)
        for number, kind in used
        if kind in custom
    }


def _said_once(judged: Judged, replaced: dict[int, Verdict]) -> Iterator[Finding]:
    """Yield what a rule or this installation lacks: once, not for every resource."""
    of_replaced = ((n, f) for n, v in replaced.items() for f in v.findings if f.rule == ONCE)
    told: set[str] = set()
    for _, finding in sorted((*judged.once(), *of_replaced), key=lambda one: one[0]):
        if finding.message not in told:
            told.add(finding.message)
            yield finding


def judge(
    document: Document,
    *,
    honoured: frozenset[str] | None,
    namespace: str = "default",
    checks: Checks = _DEFAULT,
) -> Verdict:
    """Return what is to be said of one document by itself."""
    findings = tuple(_bounded(document, check_alone(document, checks, honoured)))
    defined = definition_of(document.object)
    if defined.wrong:
        findings += (finding_of(document, defined.wrong),)
    broken = any(f.severity == "error" for f in findings)
    gvk = GroupVersionKind.of(document.object)
    told: tuple[str, str] | None = None
    if not broken and not named(gvk, checks.skip):
        known = checks.schemas.validator(gvk) is not None
        told = None if checks.ignore_missing_schemas and not known else notice(gvk, known=known)
    facts = None if broken else facts_of(document.object, namespace)
    key = facts.key if facts is not None and facts.key.name else key_of(document.object, namespace)
    return Verdict(findings, facts, told, tuple(defined.kinds), key)


def _bounded(document: Document, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what is said of one document, and where more could be said, that: nobody reads a hundred thousand lines."""
    for number, finding in enumerate(findings):
        if number == MOST_FINDINGS:
            told = f"there is more: of one document {MOST_FINDINGS} findings are told"
            yield document.finding("schema/more", "info", told, ("kind",))
            return
        yield finding
