"""What differs from another commit, and what refers to that: all that a pull request's reviewer must hear of.

Everything is read (a warm cache makes that cheap), as only the whole set tells what refers to what. Of files that differ
every finding is told; of others, those about what a differing file has or had: a reference to its object or its labels, the
same port or route, a Namespace and what it refuses, the definition of a custom kind.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from reconciler.api.objects import GroupVersionKind, Key
    from reconciler.cli.validate.checked import Checked
    from reconciler.cli.validate.load import Read
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Origin
    from reconciler.gitops.source import Snapshot
    from reconciler.gitops.validate import Verdict
    from reconciler.gitops.validate.references import Facts

Labels = frozenset[tuple[str, str]]

#: Stands for every rule of the group.
_ANY = "reference/"


class Changed(NamedTuple):
    """Names of the files that differ, and what those files said before."""

    files: frozenset[str]
    before: tuple[Verdict, ...]


def changed_since(read: Sequence[Read], ref: str) -> Changed:
    """Compare what was read with where it left a commit, branch or tag of its checkout. Raises ``SourceError``.

    As a pull request does: what the other branch got since is none of its changes.
    """
    import asyncio

    from reconciler.cli.validate.records import record
    from reconciler.gitops.source.git.local import at_ref

    files: set[str] = set()
    before: list[Verdict] = []
    for one in read:
        then = asyncio.run(at_ref(Path(one.naming.given), ref, forked=True))
        differing = _differing(one.snapshot, then)
        files |= {one.naming.of(path) for path in differing}
        old = [then.files[path] for path in differing if path in then.files]
        records = record([f for f in old if not f.path.endswith(".j2")], None)
        before += [verdict for r in records.values() for _, _, verdict in r.documents]
    return Changed(frozenset(files), tuple(before))


def _differing(now: Snapshot, then: Snapshot) -> list[str]:
    def same(path: str) -> bool:
        one, other = now.files.get(path), then.files.get(path)
        return one is not None and other is not None and one.data == other.data

    found = [path for path in {**now.files, **then.files} if not same(path)]
    if any(path.endswith(".j2") for path in found):
        # A template may include any other.
        found += [path for path in now.files if path.endswith(".j2") and path not in found]
    return found


def documents_of(checked: Checked, files: frozenset[str]) -> int:
    """Return how many documents lie in some files."""
    return sum(origin.file in files for origin, _ in _said(checked))


def concerning(findings: Iterable[Finding], checked: Checked, changed: Changed) -> list[Finding]:
    """Return those of the findings that have to do with what changed."""
    offered = _offered(checked, changed)
    concerned: dict[tuple[str, int, int | None], frozenset[str]] = {}
    for origin, facts in _said(checked):
        if facts is not None and origin.file not in changed.files:
            rules = frozenset(_rules(facts, offered))
            if rules:
                concerned[origin.file, origin.document, origin.item] = rules
    return [
        f
        for f in findings
        if f.file in changed.files
        or _among(f.rule, concerned.get((f.file, f.document, f.item), ()))
        or (f.object.api_version.partition("/")[0], f.object.kind) in offered.defined
    ]


def _among(rule: str, rules: Collection[str]) -> bool:
    return rule in rules or (_ANY in rules and rule.startswith(_ANY))


class _Offered(NamedTuple):
    """What changed files have, or had, that others may refer to."""

    keys: set[Key]
    labels: list[tuple[str, Labels]]  # of Pods, by namespace
    namespaces: set[str]
    scaled: set[Key]
    node_ports: set[str | int]
    claims: set[tuple[str, str, str]]  # of Ingresses
    defined: set[tuple[str, str]]  # groups and kinds


def _offered(checked: Checked, changed: Changed) -> _Offered:
    offered = _Offered(set(), [], set(), set(), set(), set(), set())
    now = (facts for origin, facts in _said(checked) if origin.file in changed.files)
    for facts in (*now, *(verdict.facts for verdict in changed.before)):
        if facts is None:
            continue
        key = facts.key
        offered.keys.add(key)
        if facts.labels:
            offered.labels.append((key.namespace, frozenset(facts.labels)))
        if (key.group, key.kind) == ("", "Namespace"):
            offered.namespaces.add(key.name)
        if facts.scales is not None:
            offered.scaled.add(facts.scales)
        offered.node_ports.update(port.wanted for port in facts.node_ports)
        offered.claims.update(route.claim for route in facts.routes)
    defined = [kinds for file, kinds in _defined(checked) if file in changed.files]
    for kinds in (*defined, *(verdict.defines for verdict in changed.before)):
        offered.defined.update((kind.group, kind.kind) for kind in kinds)
    return offered


def _defined(checked: Checked) -> Iterator[tuple[str, Collection[GroupVersionKind]]]:
    judged = checked.judged
    if judged is not None:
        for number, kinds in judged.defined():
            yield judged.origin(number).file, kinds


def _rules(facts: Facts, offered: _Offered) -> Iterator[str]:
    """Yield the rules by which a document of a file that did not change may be wrong because of one that did."""
    if facts.key in offered.keys or any(r.key in offered.keys for r in facts.references):
        yield _ANY
    wanted, namespace = frozenset(facts.selector), facts.key.namespace
    if wanted and any(n == namespace and wanted <= had for n, had in offered.labels):
        yield _ANY
    if namespace in offered.namespaces:
        yield from ("reference/namespace", "reference/pod-security")
    if facts.key in offered.scaled:
        yield "reference/scaled-replicas"
    if any(port.wanted in offered.node_ports for port in facts.node_ports):
        yield "reference/node-port"
    if any(route.claim in offered.claims for route in facts.routes):
        yield "reference/ingress-conflict"


def _said(checked: Checked) -> Iterator[tuple[Origin, Facts | None]]:
    judged = checked.judged
    if judged is not None:
        for origin, said in zip(judged.origins(), judged.all_said(), strict=True):
            yield origin, said.facts
