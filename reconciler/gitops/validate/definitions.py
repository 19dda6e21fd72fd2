"""Custom kinds of the set: what their CustomResourceDefinitions allow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.schemas import Validator
from reconciler.api.schemas.custom import KIND, of_definition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import GroupVersionKind, Object
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.checks import Schemas


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
