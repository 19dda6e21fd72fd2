"""Custom kinds of the set: what their CustomResourceDefinitions allow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.schemas import Validator
from reconciler.api.schemas.custom import of_definition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.api.objects import GroupVersionKind
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.checks import Schemas

_KIND = "CustomResourceDefinition"


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


def definitions_of(
    documents: Sequence[Document],
) -> Iterator[tuple[Document, dict[GroupVersionKind, Validator], str]]:
    """Yield the custom kinds of each definition in a set, and what is wrong with a schema that cannot be used."""
    for document in documents:
        if document.name.kind != _KIND:
            continue
        found: dict[GroupVersionKind, Validator] = {}
        wrong = ""
        for gvk, schema in of_definition(document.object).items():
            validator = Validator(schema)
            try:
                validator.is_valid({})
            except ValueError as error:
                wrong = f"the schema of {gvk.kind} {gvk.version} cannot be used: {str(error)[:200]}"
            else:
                found[gvk] = validator
        yield document, found, wrong


def finding_of(document: Document, wrong: str) -> Finding:
    """Return the finding about a schema that cannot be used."""
    return document.finding(
        "schema/custom-resource-definition", "warning", wrong, ("spec", "versions")
    )
