"""What one plain file holds and what is wrong in it by itself: worked out here, by worker processes, or earlier.

A record is plain data without the objects themselves, so that memory does not grow with what they hold: a document reads
its object again where a reference needs it.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cli.validate.cache import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.gitops.finding import Finding, ObjectName
    from reconciler.gitops.render.document import Origin
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import Checks, Verdict

#: Below so many bytes of manifests a worker process costs more than it saves.
SHARE = 1024 * 1024

#: So many files are read and judged at a time: few enough that no process is long behind the others at the end.
_CHUNK = 32

#: How the number of a chunk is handed out. All of them fit into a pipe, so that nobody has to wait for a reader.
_NUMBER = struct.Struct("=I")
_PIPE = 64 * 1024


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
    files: Sequence[File],
    honoured: frozenset[str] | None,
    progress: Callable[[int], None] = lambda _: None,
    checks: Checks | None = None,
) -> dict[str, FileRecord]:
    """Read and judge files, each by itself. ``progress`` is told how many are done."""
    from reconciler.gitops.ignores import MARK
    from reconciler.gitops.render import render
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import Checks, judge

    checks = Checks() if checks is None else checks
    found: dict[str, FileRecord] = {}
    for start in range(0, len(files), _CHUNK):
        # Read once, for as long as the chunk is looked at.
        held = [File(f.path, f.digest, f.data) for f in files[start : start + _CHUNK]]
        chunk = {file.path: file for file in held if _is_plain(file)}
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
        for file in held:
            path, commented = file.path, MARK in file.data
            if path in chunk:
                told = tuple(findings[path]), tuple(documents[path])
                found[path] = FileRecord(*told, commented=commented)
            else:
                found[path] = FileRecord(whole=False, commented=commented)
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

    Each has one chunk to begin with, and takes the next as it is done with its last. What a process that died leaves
    undone is done here.
    """
    size = max(_CHUNK, len(files) * _NUMBER.size // _PIPE + 1)
    chunks = [files[start : start + size] for start in range(0, len(files), size)]
    jobs = min(jobs, len(chunks))
    queue, writing = os.pipe()
    os.write(writing, b"".join(_NUMBER.pack(number) for number in range(jobs, len(chunks))))
    os.close(writing)
    workers = [_start(chunks, first, queue, honoured, checks) for first in range(1, jobs)]
    found: dict[str, FileRecord] = {}
    try:
        for chunk in _taken(chunks, 0, queue) if chunks else ():
            found |= record(chunk, honoured, checks=checks)
            progress(len(found))
    finally:
        os.close(queue)
        answers = [_answer(*worker) for worker in workers]
    for data in answers:
        # A process that died has told nothing that is whole.
        with contextlib.suppress(ValueError):
            found |= loads(data)
        progress(len(found))
    found |= record([file for file in files if file.path not in found], honoured, checks=checks)
    return {file.path: found[file.path] for file in files}


def _taken(chunks: Sequence[Sequence[File]], first: int, queue: int) -> Iterator[Sequence[File]]:
    """Yield one chunk, then those whose numbers come out of a pipe until it is empty: each is read by one process only."""
    yield chunks[first]
    while number := os.read(queue, _NUMBER.size):
        yield chunks[_NUMBER.unpack(number)[0]]


def _start(
    chunks: Sequence[Sequence[File]],
    first: int,
    queue: int,
    honoured: frozenset[str] | None,
    checks: Checks | None,
) -> tuple[int, int]:
    """Fork a process that judges files and writes their records into a pipe; returns its id and the pipe's end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(reading)
        found: dict[str, FileRecord] = {}
        for chunk in _taken(chunks, first, queue):
            found |= record(chunk, honoured, checks=checks)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(dumps(found))
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a fork must never return into its parent's code
        os._exit(1)


def _answer(pid: int, reading: int) -> bytes:
    """Return all that a process wrote until its end."""
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    return data


def jobs_for(files: Iterable[File]) -> int:
    """Return how many processes are worth their start: one for each MiB of manifests, one a core at most."""
    size = sum(file.size for file in files)
    return max(1, min(len(os.sched_getaffinity(0)), size // SHARE))


def missing(snapshot: Snapshot, known: Mapping[str, FileRecord]) -> list[File]:
    """Return the files that no record is known of."""
    return [f for f in snapshot.files.values() if recordable(f) and entry(f) not in known]


def entry(file: File) -> str:
    """Return the name of a file's record: its content and its name decide on it."""
    return f"{file.digest} {file.path}"
