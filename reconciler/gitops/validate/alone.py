"""What is wrong with one document by itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import rules
from reconciler.api.objects import GroupVersionKind
from reconciler.gitops.validate.checks import named
from reconciler.gitops.validate.deprecations import check_old_words, check_version
from reconciler.gitops.validate.external import check_external
from reconciler.gitops.validate.honoured import not_honoured
from reconciler.gitops.validate.introductions import check_introduced
from reconciler.gitops.validate.metadata import check_shape
from reconciler.gitops.validate.one_node import one_node
from reconciler.gitops.validate.ordering import check_ordering
from reconciler.gitops.validate.practices import check_practices
from reconciler.gitops.validate.references import check_inside
from reconciler.gitops.validate.served import check_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.schemas import Validator
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.checks import Checks

#: A schema's word -> the end of the rule's id; words that are not here are ``invalid``.
_KEYWORDS = {
    "additionalProperties": "unknown-field",
    "required": "required",
    "type": "type",
    "enum": "enum",
    "const": "enum",
    "oneOf": "type",
    "anyOf": "type",
    "not": "required",
    "format": "format",
    "pattern": "pattern",
    "minimum": "minimum",
    "exclusiveMinimum": "minimum",
    "maximum": "maximum",
    "exclusiveMaximum": "maximum",
}


def check_alone(
    document: Document, checks: Checks, honoured: frozenset[str] | None
) -> Iterator[Finding]:
    """Yield what is wrong with one document; rules are asked only where the shape is right."""
    gvk = GroupVersionKind.of(document.object)
    if named(gvk, checks.skip):
        return
    if named(gvk, checks.reject):
        told = f"{gvk.kind} ({gvk.api_version}) is not allowed here"
        yield document.finding("schema/rejected", "error", told, ("kind",))
        return
    validator = checks.schemas.validator(gvk)
    shape = [
        *check_version(document, gvk, checks.kubernetes),
        *check_introduced(document, gvk, checks.kubernetes),
        *_schema(document, validator),
        *check_kind(document, known=validator is not None),
    ]
    if validator is None and checks.require_schemas and not shape:
        told = f"there is no schema for {gvk.kind} ({gvk.api_version})"
        shape.append(document.finding("schema/missing", "error", told, ("kind",)))
    yield from shape
    if any(f.severity == "error" for f in shape):
        return
    if validator is not None and validator.has_rules:
        yield from _custom_rules(document, validator)
    for problem in rules.problems(document.object):
        yield document.finding(
            problem.rule, "error", f"{problem.field}: {problem.message}", problem.path,
            problem.hint, expected=problem.expected, got=problem.got,
        )  # fmt: skip
    yield from check_inside(document)
    yield from check_ordering(document)
    yield from check_old_words(document)
    if any(r.startswith("practice/") for r in checks.levels):
        yield from check_practices(document, checks.wants)
    yield from check_external(document, checks.external)
    if honoured is not None:
        yield from not_honoured(document, honoured)
        yield from one_node(document, honoured)


def _custom_rules(document: Document, validator: Validator) -> Iterator[Finding]:
    """Yield what the rules of a custom kind's author say, and which of them could not be asked."""
    outcome = validator.rules(document.object)
    for broken in outcome.violations:
        hint = f"the rule is: {' '.join(broken.rule.split())}"
        yield document.finding("schema/cel", "error", broken.message, broken.path, hint[:300])
    for reason in outcome.skipped:
        yield document.finding("schema/cel-skipped", "info", reason, ("kind",))


def _schema(document: Document, validator: Validator | None) -> Iterator[Finding]:
    obj = document.object
    if validator is None:
        yield from check_shape(document)
    elif not validator.is_valid(obj):
        for error in validator.errors(obj):
            rule = f"schema/{_KEYWORDS.get(error.keyword, 'invalid')}"
            hint = "" if error.hint and error.hint in error.message else error.hint
            yield document.finding(
                rule, "error", error.message, error.path, hint,
                expected=error.expected, got=error.got,
            )  # fmt: skip
