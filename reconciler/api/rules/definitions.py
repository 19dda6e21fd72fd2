"""Rules of CustomResourceDefinitions: names, versions, and schemas that are structural."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import names
from reconciler.api.objects import annotations_of
from reconciler.api.rules.admission import client
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    duplicate,
    each,
    forbidden,
    invalid,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_APPROVED = "api-approved.kubernetes.io"
_NAMES = ("spec", "names")
_TYPES = ("array", "boolean", "integer", "number", "object", "string")


def definition(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a CustomResourceDefinition."""
    spec = below(obj, "spec")
    group = str(spec.get("group") or "")
    yield from _group(group, obj)
    yield from _names(below(spec, "names"))
    name = below(obj, "metadata").get("name")
    expected = f"{below(spec, 'names').get('plural')}.{group}"
    if name and name != expected:
        told = 'must be spec.names.plural+"."+spec.group'
        hint = f'write "{expected}"'
        yield invalid("custom-kind", ("metadata", "name"), name, told, hint=hint)
    yield from _versions(spec)
    conversion = below(spec, "conversion")
    webhook = below(conversion, "webhook")
    path = ("spec", "conversion", "webhook")
    if conversion.get("strategy") == "Webhook":
        yield from client(below(webhook, "clientConfig"), (*path, "clientConfig"))
        if not webhook.get("conversionReviewVersions"):
            yield required("custom-kind", (*path, "conversionReviewVersions"))
    elif webhook:
        told = "should not be set when strategy is not set to Webhook"
        yield forbidden("custom-kind", path, told)


def _group(group: str, obj: Object) -> Iterator[Problem]:
    path = ("spec", "group")
    if wrong := names.subdomain_problem(group):
        yield invalid("custom-kind", path, group, wrong)
    elif "." not in group:
        yield invalid("custom-kind", path, group, "should be a domain with at least one dot")
    protected = group.endswith((".k8s.io", ".kubernetes.io")) or group in (
        "k8s.io",
        "kubernetes.io",
    )
    if protected and not annotations_of(obj).get(_APPROVED):
        told = f'protected groups must have approval annotation "{_APPROVED}"'
        yield required("custom-kind", ("metadata", "annotations", _APPROVED), told)


def _names(held: Part) -> Iterator[Problem]:
    for field in ("plural", "singular"):
        word = held.get(field)
        if word and (wrong := names.label_1035_problem(str(word))):
            yield invalid("custom-kind", (*_NAMES, field), word, wrong)
    for field in ("kind", "listKind"):
        word = held.get(field)
        if word and (wrong := names.label_1035_problem(str(word).lower())):
            yield invalid("custom-kind", (*_NAMES, field), word, f"may have mixed case, but should otherwise match: {wrong}")  # fmt: skip
    if held.get("listKind") and held.get("kind") == held.get("listKind"):
        told = "kind and listKind may not be the same"
        yield invalid("custom-kind", (*_NAMES, "listKind"), held["listKind"], told)
    for field in ("shortNames", "categories"):
        for index, word in enumerate(held.get(field) or ()):
            if wrong := names.label_1035_problem(str(word)):
                yield invalid("custom-kind", (*_NAMES, field, index), word, wrong)


def _versions(spec: Part) -> Iterator[Problem]:
    found = list(each(spec, "versions", ("spec",)))
    stored = sum(v.get("storage") is True for _, v in found)
    if stored != 1:
        told = "must have exactly one version marked as storage version"
        shown = [v.get("name") for _, v in found]
        yield invalid("custom-kind", ("spec", "versions"), shown, told)
    seen: set[Any] = set()
    for path, version in found:
        name = version.get("name")
        if name in seen:
            yield duplicate("custom-kind", (*path, "name"), name)
        seen.add(name)
        if wrong := names.label_1035_problem(str(name or "")):
            yield invalid("custom-kind", (*path, "name"), name, wrong)
        here = (*path, "schema", "openAPIV3Schema")
        schema = below(version, "schema").get("openAPIV3Schema")
        if not isinstance(schema, dict):
            yield required("custom-kind", here, "schemas are required")
            continue
        if not schema.get("type"):
            told = "must not be empty at the root"
            yield required("custom-kind", (*here, "type"), told)
        yield from _structural(schema, here)


def _structural(root: Part, at: Path) -> Iterator[Problem]:
    """Yield what keeps a schema from being structural; whatever ``allOf`` and its like say is not looked into."""
    waiting: list[tuple[Part, Path]] = [(root, at)]
    while waiting:
        schema, path = waiting.pop()
        kind = schema.get("type")
        if kind and kind not in _TYPES:
            yield invalid(
                "custom-kind", (*path, "type"), kind, f"must be one of {', '.join(_TYPES)}"
            )
        if schema.get("properties") and isinstance(schema.get("additionalProperties"), dict | bool):
            told = "additionalProperties and properties are mutual exclusive"
            yield forbidden("custom-kind", (*path, "additionalProperties"), told)
        if kind == "array" and not isinstance(schema.get("items"), dict):
            yield required("custom-kind", (*path, "items"), "must be specified")
        for below_, here, what in _children(schema, path):
            if not _typed(below_):
                yield required("custom-kind", (*here, "type"), f"must not be empty for {what}")
            waiting.append((below_, here))


def _children(schema: Part, path: Path) -> Iterator[tuple[Part, Path, str]]:
    for name, one in below(schema, "properties").items():
        if isinstance(one, dict):
            yield one, (*path, "properties", name), "specified object fields"
    for word, what in (("items", "specified array items"), ("additionalProperties", "specified object fields")):  # fmt: skip
        if isinstance(schema.get(word), dict):
            yield schema[word], (*path, word), what


def _typed(schema: Part) -> bool:
    open_ = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
    return bool(schema.get("type")) or any(schema.get(word) is True for word in open_)
