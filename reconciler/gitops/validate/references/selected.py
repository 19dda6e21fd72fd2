"""What Services and budgets select, by an index of labels: linear in the set. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.references.reference import Facts

Labels = frozenset[tuple[str, str]]
Pods = tuple[Labels, frozenset[str]]  # labels, and names of ports


def check_selectors(
    documents: Sequence[Document], facts: Sequence[Facts | None]
) -> Iterator[Finding]:
    """Yield a warning for every selector that selects nothing, and for ports that what it selects does not have."""
    index: dict[tuple[str, tuple[str, str]], list[Pods]] = {}
    for fact in facts:
        if fact is not None and fact.labels:
            pods = (frozenset(fact.labels), fact.ports)
            for pair in fact.labels:
                held = index.setdefault((fact.key.namespace, pair), [])
                # Many workloads share labels; the same set twice tells nothing new.
                if not held or held[-1] != pods:
                    held.append(pods)
    for document, fact in zip(documents, facts, strict=True):
        if fact is None or not fact.selector:
            continue
        lists = [index.get((fact.key.namespace, pair)) or [] for pair in fact.selector]
        wanted = frozenset(fact.selector)
        selected = [ports for labels, ports in min(lists, key=len) if wanted <= labels]
        if not selected:
            yield _nothing(document)
            continue
        has = frozenset[str]().union(*selected)
        for name, path in fact.target_ports:
            if name not in has:
                known = ", ".join(sorted(has)) or "none"
                told = f'the selected Pods have no port named "{name}": they have {known}'
                yield document.finding(
                    "reference/target-port",
                    "warning",
                    told,
                    path,
                    expected=f"one of {known}",
                    got=str(name),
                )


def _nothing(document: Document) -> Finding:
    service = document.object.get("kind") == "Service"
    rule = "reference/selector" if service else "reference/disruption-budget"
    told = "the selector matches no Pod of this set"
    return document.finding(rule, "warning", told, ("spec", "selector"))
