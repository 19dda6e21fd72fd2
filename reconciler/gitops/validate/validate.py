"""Checking a whole set: each document by itself, then what they say of one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import GroupVersionKind
from reconciler.gitops.finding import MOST_FINDINGS
from reconciler.gitops.validate.alone import check_alone
from reconciler.gitops.validate.checks import Checks, named
from reconciler.gitops.validate.definitions import WithDefinitions, definition_of, finding_of
from reconciler.gitops.validate.references import Facts, check_references, facts_of, key_of
from reconciler.gitops.validate.served import notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.api.objects import Key
    from reconciler.api.schemas import Validator
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document

_DEFAULT = Checks()


class Verdict(NamedTuple):
    """What is known of one document by itself. Plain data: it is kept on disk and sent between processes."""

    findings: tuple[Finding, ...]
    facts: Facts | None
    notice: tuple[str, str] | None
    defines: tuple[GroupVersionKind, ...] = ()  # the custom kinds that a schema is given for
    key: Key | None = None  # of a broken document, too


class ValidateCache:
    """What documents by themselves were found to be. Keep one for each source, beside its ``RenderCache``."""

    def __init__(self) -> None:
        # The document is kept so that its identity stays its own.
        self._known: dict[int, tuple[Document, Verdict]] = {}
        self._options: tuple[frozenset[str] | None, str, str] | None = None

    def prime(
        self,
        known: Iterable[tuple[Document, Verdict]],
        honoured: frozenset[str] | None,
        namespace: str = "default",
        checks: Checks = _DEFAULT,
    ) -> None:
        """Take what was found earlier, with the same options."""
        self._known = {id(one[0]): one for one in known}
        self._options = (honoured, namespace, checks.key())

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
    verdicts = cache.verdicts(documents, honoured, default_namespace, checks)
    custom = _custom(documents, verdicts)
    if custom:
        # What a custom resource may be is said by another document: its verdict is not kept.
        own = checks._replace(schemas=WithDefinitions(custom, checks.schemas))
        for index, document in enumerate(documents):
            if _kind(document) in custom:
                verdicts[index] = judge(
                    document, honoured=honoured, namespace=default_namespace, checks=own
                )
    found = (f for v in verdicts for f in v.findings)
    findings = [f for f in _once(found) if references or not f.rule.startswith("reference/")]
    told: set[str] = set()
    for document, verdict in zip(documents, verdicts, strict=True):
        if verdict.notice is not None and verdict.notice[1] not in told:
            rule, words = verdict.notice
            told.add(words)
            findings.append(document.finding(rule, "info", words, ("kind",)))
    if references:
        keys, facts = [v.key for v in verdicts], [v.facts for v in verdicts]
        findings.extend(check_references(documents, keys, facts, exists or (lambda _: False)))
    if checks.levels:
        findings = [f for f in map(checks.apply, findings) if f is not None]
    return tuple(sorted(findings, key=lambda f: (f.file, f.line, f.column, f.rule, f.message)))


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


def _custom(
    documents: Sequence[Document], verdicts: Sequence[Verdict]
) -> dict[GroupVersionKind, Validator]:
    """Return the schemas of custom kinds that the set both defines and uses: the other definitions are not read again."""
    defining = [(d, v.defines) for d, v in zip(documents, verdicts, strict=True) if v.defines]
    used = {_kind(document) for document in documents} if defining else set()
    custom: dict[GroupVersionKind, Validator] = {}
    for document, kinds in defining:
        if not used.isdisjoint(kinds):
            custom |= definition_of(document.object).kinds
    return custom


def _kind(document: Document) -> GroupVersionKind:
    return GroupVersionKind.parse(document.name.api_version, document.name.kind)


def _bounded(document: Document, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what is said of one document, and where more could be said, that: nobody reads a hundred thousand lines."""
    for number, finding in enumerate(findings):
        if number == MOST_FINDINGS:
            told = f"there is more: of one document {MOST_FINDINGS} findings are told"
            yield document.finding("schema/more", "info", told, ("kind",))
            return
        yield finding


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings; what a rule or this installation lacks is said once, not for every resource."""
    told: set[str] = set()
    for finding in findings:
        if finding.rule == "schema/cel-skipped":
            if finding.message in told:
                continue
            told.add(finding.message)
        yield finding
