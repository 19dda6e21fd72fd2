"""What one plain file holds and what is wrong in it by itself.

A record is plain data without the objects themselves, so that memory does not grow with what they hold: a document reads
its object again where somebody needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.gitops.finding import Finding, ObjectName
    from reconciler.gitops.render.document import Origin
    from reconciler.gitops.source import File
    from reconciler.gitops.validate import Checks, Verdict


class FileRecord(NamedTuple):
    """One file: what is wrong with it as a file, and its documents with what is to be said of each.

    ``whole``: that is all. ``commented``: the file holds a comment for us.
    """

    findings: tuple[Finding, ...] = ()
    documents: tuple[tuple[Origin, ObjectName, Verdict], ...] = ()
    whole: bool = True
    commented: bool = False


def recordable(file: File) -> bool:
    """Whether there is a record of a file, though it may not be the whole: of a template there is none."""
    return not file.path.endswith(".j2")


def _is_plain(file: File) -> bool:
    """Whether a record says all of a file: not of what is encrypted, nor of JSON that must be rewritten."""
    if b"ENC[" in file.data:
        return False
    return not (file.path.endswith(".json") and (b"\\ud" in file.data or b"\\uD" in file.data))


def record(
    files: Sequence[File], honoured: frozenset[str] | None, checks: Checks | None = None
) -> dict[str, FileRecord]:
    """Read and judge files, each by itself; returns their records by path."""
    from reconciler.gitops.ignores import MARK
    from reconciler.gitops.render import render
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import Checks, judge

    checks = Checks() if checks is None else checks
    # Read once, for as long as they are looked at.
    held = [File(f.path, f.digest, f.data) for f in files]
    plain = {file.path: file for file in held if _is_plain(file)}
    rendered = render(Snapshot("", plain))
    documents: dict[str, list[tuple[Origin, ObjectName, Verdict]]] = {path: [] for path in plain}
    findings: dict[str, list[Finding]] = {path: [] for path in plain}
    for document in rendered.documents:
        verdict = judge(document, honoured=honoured, checks=checks)
        documents[document.origin.file].append((document.origin, document.name, verdict))
    for finding in rendered.findings:
        findings[finding.file].append(finding)
    found: dict[str, FileRecord] = {}
    for file in held:
        path, commented = file.path, MARK in file.data
        if path in plain:
            told = tuple(findings[path]), tuple(documents[path])
            found[path] = FileRecord(*told, commented=commented)
        else:
            found[path] = FileRecord(whole=False, commented=commented)
    return found
