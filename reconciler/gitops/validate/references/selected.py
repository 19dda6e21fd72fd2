"""What Services and budgets select. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.judged import Judged
    from reconciler.gitops.validate.references.labels import Labels
    from reconciler.gitops.validate.references.reference import Facts


def check_selector(judged: Judged, number: int, facts: Facts, labels: Labels) -> Iterator[Finding]:
    """Yield a warning for a selector that selects nothing, and for ports that what it selects does not have."""
    if not facts.selector:
        return
    selected = labels.select(facts.key.namespace, facts.selector)
    has = next(selected, None)
    if has is None:
        yield _nothing(judged.document(number))
    elif facts.target_ports:
        has = has.union(*selected)
        for name, path in facts.target_ports:
            if name not in has:
                known = ", ".join(sorted(has)) or "none"
                told = f'the selected Pods have no port named "{name}": they have {known}'
                yield judged.document(number).finding(
                    "reference/target-port", "warning", told, path,
                    expected=f"one of {known}", got=str(name),
                )  # fmt: skip


def _nothing(document: Document) -> Finding:
    service = document.name.kind == "Service"
    rule = "reference/selector" if service else "reference/disruption-budget"
    told = "the selector matches no Pod of this set"
    return document.finding(rule, "warning", told, ("spec", "selector"))
