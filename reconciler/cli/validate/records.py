"""What one plain file holds and what is wrong in it by itself: worked out here, by worker processes, or earlier.

A record is plain data without the objects themselves, so that memory does not grow with what they hold: a document reads
its object again where a reference needs it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cli.validate.cache import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.gitops.finding import Finding, ObjectName
    from reconciler.gitops.render.document import Origin
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import Checks, Verdict

#: Below so many bytes of manifests a worker process costs more than it saves.
SHARE = 1024 * 1024

_CHUNK = 64


class FileRecord(NamedTuple):
    """One file: what is wrong with it as a file, and its documents with what is to be said of each."""

    findings: tuple[Finding, ...]
    documents: tuple[tuple[Origin, ObjectName, Verdict], ...]


def recordable(file: File) -> bool:
    """Whether a record says all of a file: not of a template, of what is encrypted, of JSON that must be rewritten."""
    if file.path.endswith(".j2") or b"ENC[" in file.data:
        return False
    return not (file.path.endswith(".json") and b"\\u" in file.data)


def record(
    files: Sequence[File],
    honoured: frozenset[str] | None,
    progress: Callable[[int], None] = lambda _: None,
    checks: Checks | None = None,
) -> dict[str, FileRecord]:
    """Read and judge files, each by itself. ``progress`` is told how many are done."""
    from reconciler.gitops.render import render
    from reconciler.gitops.source import Snapshot
    from reconciler.gitops.validate import Checks, judge

    checks = Checks() if checks is None else checks
    found: dict[str, FileRecord] = {}
    for start in range(0, len(files), _CHUNK):
        chunk = {file.path: file for file in files[start : start + _CHUNK]}
        rendered = render(Snapshot("", chunk))
        documents: dict[str, list[tuple[Origin, ObjectName, Verdict]]] = {
            path: [] for path in chunk
        }
        findings: dict[str, list[Finding]] = {path: [] for path in chunk}
        for document in rendered.documents:
            verdict = judge(document, honoured=honoured, checks=checks)
            documents[document.origin.file].append((document.origin, document.name, verdict))
        for finding in rendered.findings:
            findings[finding.file].append(finding)
        for path in chunk:
            found[path] = FileRecord(tuple(findings[path]), tuple(documents[path]))
        progress(len(found))
    return found


def record_in_processes(
    files: Sequence[File],
    honoured: frozenset[str] | None,
    jobs: int,
    progress: Callable[[int], None] = lambda _: None,
    checks: Checks | None = None,
) -> dict[str, FileRecord]:
    """Do the same in several processes, forked: what they read is there already. The order is that of ``files``.

    What a process that died leaves undone is done here.
    """
    shares = [files[n::jobs] for n in range(jobs)]
    workers = [_start(share, honoured, checks) for share in shares[1:]]
    found = record(shares[0], honoured, progress, checks)
    for share, (pid, reading) in zip(shares[1:], workers, strict=True):
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        os.waitpid(pid, 0)
        try:
            found |= loads(data)
        except ValueError:
            found |= record(share, honoured, checks=checks)
        progress(len(found))
    return {file.path: found[file.path] for file in files}


def _start(
    files: Sequence[File], honoured: frozenset[str] | None, checks: Checks | None
) -> tuple[int, int]:
    """Fork a process that judges files and writes their records into a pipe; returns its id and the pipe's end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(dumps(record(files, honoured, checks=checks)))
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a fork must never return into its parent's code
        os._exit(1)


def jobs_for(files: Iterable[File]) -> int:
    """Return how many processes are worth their start: one for each MiB of manifests, one a core at most."""
    size = sum(len(file.data) for file in files)
    return max(1, min(len(os.sched_getaffinity(0)), size // SHARE))


def missing(snapshot: Snapshot, known: Mapping[str, FileRecord]) -> list[File]:
    """Return the files that no record is known of."""
    return [f for f in snapshot.files.values() if recordable(f) and entry(f) not in known]


def entry(file: File) -> str:
    """Return the name of a file's record: its content and its name decide on it."""
    return f"{file.digest} {file.path}"
