"""What differs from another commit, and what refers to that: all that a pull request's reviewer must hear of.

Everything is read (a warm cache makes that cheap), as only the whole set tells what refers to what. Of files that differ
every finding is told; of others, those about a reference to an object, or to labels, that a differing file has or had.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.api.objects import Key
    from reconciler.cli.validate.check import Checked
    from reconciler.cli.validate.load import Read
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Origin
    from reconciler.gitops.source import Snapshot
    from reconciler.gitops.validate import Verdict
    from reconciler.gitops.validate.references import Facts

Labels = frozenset[tuple[str, str]]


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
    keys, labels = _offered(checked, changed)
    concerned = {
        (origin.file, origin.document, origin.item)
        for origin, facts in _said(checked)
        if origin.file not in changed.files and _refers(facts, keys, labels)
    }
    return [
        f
        for f in findings
        if f.file in changed.files
        or (f.rule.startswith("reference/") and (f.file, f.document, f.item) in concerned)
    ]


def _offered(checked: Checked, changed: Changed) -> tuple[set[Key], list[tuple[str, Labels]]]:
    """Return the objects that changed files have or had, and the labels of their Pods by namespace."""
    keys: set[Key] = set()
    labels: list[tuple[str, Labels]] = []
    now = (facts for origin, facts in _said(checked) if origin.file in changed.files)
    for facts in (*now, *(verdict.facts for verdict in changed.before)):
        if facts is not None:
            keys.add(facts.key)
            if facts.labels:
                labels.append((facts.key.namespace, frozenset(facts.labels)))
    return keys, labels


def _said(checked: Checked) -> Iterator[tuple[Origin, Facts | None]]:
    judged = checked.judged
    if judged is not None:
        for origin, said in zip(judged.origins(), judged.all_said(), strict=True):
            yield origin, said.facts


def _refers(facts: Facts | None, keys: set[Key], labels: Iterable[tuple[str, Labels]]) -> bool:
    if facts is None:
        return False
    if facts.key in keys or any(r.key in keys for r in facts.references):
        return True
    wanted = frozenset(facts.selector)
    return bool(wanted) and any(n == facts.key.namespace and wanted <= had for n, had in labels)
