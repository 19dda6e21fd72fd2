"""Custom kinds of the set: what their CustomResourceDefinitions allow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas import Validator
from reconciler.api.schemas.custom import KIND, of_definition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.api.objects import Object
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.checks import Schemas
    from reconciler.gitops.validate.judged import Judged


class WithDefinitions:
    """Schemas of custom kinds, before those of others."""

    def __init__(self, custom: Mapping[GroupVersionKind, Validator], others: Schemas) -> None:
        self._custom = custom
        self._others = others
        self.stable = others.stable

    def validator(self, gvk: GroupVersionKind) -> Validator | None:
        return self._custom.get(gvk) or self._others.validator(gvk)

    def key(self) -> str:
        return f"{self._others.key()} {sorted(map(str, self._custom))}"


class Definition(NamedTuple):
    """The custom kinds that one document defines, and what is wrong with a schema that cannot be used."""

    kinds: Mapping[GroupVersionKind, Validator]
    wrong: str = ""


def definition_of(obj: Object) -> Definition:
    """Return what an object defines: nothing, unless it is a CustomResourceDefinition."""
    if obj.get("kind") != KIND:
        return Definition({})
    found: dict[GroupVersionKind, Validator] = {}
    wrong = ""
    for gvk, schema in of_definition(obj).items():
        validator = Validator(schema)
        try:
            validator.is_valid({})
        except ValueError as error:
            wrong = f"the schema of {gvk.kind} {gvk.version} cannot be used: {str(error)[:200]}"
        else:
            found[gvk] = validator
    return Definition(found, wrong)


def finding_of(document: Document, wrong: str) -> Finding:
    """Return the finding about a schema that cannot be used."""
    return document.finding(
        "schema/custom-resource-definition", "warning", wrong, ("spec", "versions")
    )


def not_served(judged: Judged, number: int) -> Iterator[Finding]:
    """Yield that a custom resource's version is none that its definition in the set serves: of all that are alike."""
    name = judged.document(number).name
    gvk = GroupVersionKind.parse(name.api_version, name.kind)
    served: set[str] = set()
    for defining, kinds in judged.defined():
        if any((k.group, k.kind) == (gvk.group, gvk.kind) for k in kinds):
            served |= set(_served(judged.document(defining).object))
    if not served or gvk.version in served:
        return
    given = ", ".join(f"{gvk.group}/{v}" for v in sorted(served))
    told = f'there is no {gvk.kind} in "{gvk.api_version}": its CustomResourceDefinition serves {given}'
    for like, _ in judged.of_kinds({gvk}):
        document = judged.document(like)
        yield document.finding("schema/unknown-version", "error", told, ("apiVersion",))


def _served(definition: Object) -> Iterator[str]:
    """Yield the versions that a definition serves, whether there is a schema or not."""
    for version in definition["spec"].get("versions") or ():
        if isinstance(version, dict) and version.get("served") is not False:
            yield str(version.get("name"))
