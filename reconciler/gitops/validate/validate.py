"""Checking a whole set: each document by itself, then what they say of one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds, names, rules, schemas
from reconciler.api.objects import GroupVersionKind
from reconciler.gitops.validate.honoured import not_honoured
from reconciler.gitops.validate.references import check_references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


class ValidateCache:
    """What documents by themselves were found to be, by their digest."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[Finding, ...]] = {}


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
    findings: list[Finding] = []
    kept: dict[str, tuple[Finding, ...]] = {}
    broken: set[int] = set()
    for document in documents:
        found = cache.found.get(document.digest) if cache is not None and document.digest else None
        if found is None:
            found = tuple(_alone(document, honoured))
        kept[document.digest] = found
        findings.extend(found)
        if any(f.severity == "error" for f in found):
            broken.add(id(document))
    if cache is not None:
        cache.found = kept
    findings.extend(_unknown_kinds(documents))
    if references:
        sound = [d for d in documents if id(d) not in broken]
        findings.extend(
            check_references(documents, sound, default_namespace, exists or (lambda _: False))
        )
    return tuple(sorted(findings, key=lambda f: (f.file, f.line, f.column, f.rule, f.message)))


def _alone(document: Document, honoured: frozenset[str] | None) -> Iterator[Finding]:
    """Yield what is wrong with one document by itself."""
    obj = document.object
    count = 0
    if not schemas.is_valid(obj):
        for error in schemas.errors(obj):
            count += 1
            rule = f"schema/{_KEYWORDS.get(error.keyword, error.keyword)}"
            yield document.finding(rule, "error", error.message, error.path)
    if count:
        # Rules read what the schema promises; without that they would only repeat it.
        return
    yield from _names(document)
    for problem in rules.problems(obj):
        yield document.finding(
            "rule/" + _rule_of(problem),
            "error",
            f"{problem.field}: {problem.message}",
            problem.path,
        )
    if honoured is not None:
        yield from not_honoured(document, honoured)


def _rule_of(problem: rules.Problem) -> str:
    return {
        "FieldValueInvalid": "invalid", "FieldValueRequired": "required", "FieldValueDuplicate": "duplicate",
        "FieldValueNotFound": "not-found", "FieldValueForbidden": "forbidden",
        "FieldValueNotSupported": "not-supported",
    }.get(problem.reason, "invalid")  # fmt: skip


def _names(document: Document) -> Iterator[Finding]:
    meta = document.object.get("metadata") or {}
    name = meta.get("name")
    if not name:
        if not meta.get("generateName"):
            told = "metadata.name: Required value: name or generateName is required"
            yield document.finding("rule/required", "error", told, ("metadata", "name"))
        return
    wrong = names.problem(str(document.object.get("kind")), str(name))
    if wrong:
        told = f'metadata.name: Invalid value: "{name}": {wrong}'
        yield document.finding("rule/name", "error", told, ("metadata", "name"))
    for field in ("labels", "annotations"):
        for key, value in (meta.get(field) or {}).items():
            wrong = names.qualified_problem(str(key))
            if not wrong and field == "labels":
                wrong = names.label_value_problem(value)
            if wrong:
                told = f'metadata.{field}: Invalid value: "{key}": {wrong}'
                yield document.finding("rule/name", "error", told, ("metadata", field, str(key)))


def _unknown_kinds(documents: Sequence[Document]) -> Iterator[Finding]:
    """Yield one notice a kind that is stored and shown, and never run."""
    told: set[tuple[str, str]] = set()
    for document in documents:
        gvk = GroupVersionKind.of(document.object)
        known = kinds.lookup(gvk.group, gvk.kind)
        if (known is not None and known.run) or (gvk.group, gvk.kind) in told:
            continue
        told.add((gvk.group, gvk.kind))
        message = f"{gvk.kind} ({gvk.api_version}) is stored and shown; nothing here runs it"
        yield document.finding("runtime/kind-not-run", "info", message, ("kind",))
