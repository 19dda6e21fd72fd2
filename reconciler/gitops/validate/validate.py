"""Checking a whole set: each document by itself, then what they say of one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import rules, schemas
from reconciler.api.objects import GroupVersionKind
from reconciler.gitops.validate.honoured import not_honoured
from reconciler.gitops.validate.metadata import check_shape
from reconciler.gitops.validate.references import Facts, check_references, facts_of
from reconciler.gitops.validate.served import check_kind, notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.api.objects import Key
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document

_KEYWORDS = {
    "additionalProperties": "unknown-field",
    "required": "required",
    "type": "type",
    "enum": "enum",
    "oneOf": "type",
    "anyOf": "type",
}


class Verdict(NamedTuple):
    """What is known of one document by itself. Plain data: it is kept on disk and sent between processes."""

    findings: tuple[Finding, ...]
    facts: Facts | None
    notice: tuple[str, str] | None


class ValidateCache:
    """What documents by themselves were found to be. Keep one for each source, beside its ``RenderCache``."""

    def __init__(self) -> None:
        # The document is kept so that its identity stays its own.
        self._known: dict[int, tuple[Document, Verdict]] = {}
        self._options: tuple[frozenset[str] | None, str] | None = None

    def prime(
        self,
        known: Iterable[tuple[Document, Verdict]],
        honoured: frozenset[str] | None,
        namespace: str = "default",
    ) -> None:
        """Take what was found earlier, with the same options."""
        self._known = {id(one[0]): one for one in known}
        self._options = (honoured, namespace)

    def verdicts(
        self, documents: Sequence[Document], honoured: frozenset[str] | None, namespace: str
    ) -> list[Verdict]:
        """Return what is known of each document; only those that are new are looked at."""
        known = self._known if self._options == (honoured, namespace) else {}
        found = [
            known.get(id(d)) or (d, judge(d, honoured=honoured, namespace=namespace))
            for d in documents
        ]
        self._known = {id(one[0]): one for one in found}
        self._options = (honoured, namespace)
        return [verdict for _, verdict in found]


def validate(
    documents: Sequence[Document],
    *,
    references: bool = True,
    honoured: frozenset[str] | None = None,
    default_namespace: str = "default",
    exists: Callable[[Key], bool] | None = None,
    cache: ValidateCache | None = None,
) -> tuple[Finding, ...]:
    """Return everything that is wrong, in the order of files and lines.

    ``honoured`` are the fields that the runtime acts on (None: do not check); ``exists`` says of an object outside
    of the set that it is there.
    """
    cache = cache if cache is not None else ValidateCache()
    verdicts = cache.verdicts(documents, honoured, default_namespace)
    findings = [f for v in verdicts for f in v.findings]
    told: set[str] = set()
    for document, verdict in zip(documents, verdicts, strict=True):
        if verdict.notice is not None and verdict.notice[1] not in told:
            rule, words = verdict.notice
            told.add(words)
            findings.append(document.finding(rule, "info", words, ("kind",)))
    if references:
        facts = [v.facts for v in verdicts]
        findings.extend(
            check_references(documents, facts, default_namespace, exists or (lambda _: False))
        )
    return tuple(sorted(findings, key=lambda f: (f.file, f.line, f.column, f.rule, f.message)))


def judge(
    document: Document, *, honoured: frozenset[str] | None, namespace: str = "default"
) -> Verdict:
    """Return what is to be said of one document by itself."""
    findings = tuple(_alone(document, honoured))
    broken = any(f.severity == "error" for f in findings)
    return Verdict(
        findings,
        None if broken else facts_of(document.object, namespace),
        None if broken else notice(GroupVersionKind.of(document.object)),
    )


def _alone(document: Document, honoured: frozenset[str] | None) -> Iterator[Finding]:
    """Yield what is wrong with one document by itself; rules are asked only where the shape is right."""
    shape = [*_schema(document), *check_kind(document)]
    yield from shape
    if shape:
        return
    for problem in rules.problems(document.object):
        yield document.finding(
            problem.rule, "error", f"{problem.field}: {problem.message}", problem.path,
            problem.hint, expected=problem.expected, got=problem.got,
        )  # fmt: skip
    if honoured is not None:
        yield from not_honoured(document, honoured)


def _schema(document: Document) -> Iterator[Finding]:
    obj = document.object
    if schemas.load(GroupVersionKind.of(obj)) is None:
        yield from check_shape(document)
    elif not schemas.is_valid(obj):
        for error in schemas.errors(obj):
            rule = f"schema/{_KEYWORDS.get(error.keyword, error.keyword)}"
            hint = "" if error.hint and error.hint in error.message else error.hint
            yield document.finding(
                rule,
                "error",
                error.message,
                error.path,
                hint,
                expected=error.expected,
                got=error.got,
            )
