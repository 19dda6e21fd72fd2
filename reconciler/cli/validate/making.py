"""Blocks of a source's files: known from an earlier run, or made here, by several processes where that is worth it."""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cli.validate import blocks, records
from reconciler.cli.validate.blocks import Block
from reconciler.cli.validate.cache import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.gitops.source import File
    from reconciler.gitops.validate import Checks

#: Below so many bytes of manifests a worker process costs more than it saves.
SHARE = 1024 * 1024

#: How the number of a unit is handed out. All of them fit into a pipe, so that nobody has to wait for a reader.
_NUMBER = struct.Struct("=I")
_PIPE = 64 * 1024


class Unit(NamedTuple):
    """Files that become one block, and the block that an earlier run had of them, or of most."""

    paths: tuple[str, ...]
    earlier: Block | None = None


class Maker(NamedTuple):
    """What makes a source's blocks: its files, and how they are judged."""

    files: Mapping[str, File]
    honoured: frozenset[str] | None
    checks: Checks | None

    def make(self, unit: Unit) -> Block:
        """Read the files of a unit and judge those that are not known as they are now. Raises ``SourceError``."""
        from reconciler.gitops.ignores import MARK

        files = [self.files[path] for path in unit.paths]
        known = blocks.records(unit.earlier) if unit.earlier is not None else {}
        new = [f for f in files if records.recordable(f) and (f.path, f.digest) not in known]
        made = records.record(new, self.honoured, self.checks) if new else {}
        found = [
            known.get((file.path, file.digest))
            or made.get(file.path)
            or records.FileRecord(whole=False, commented=MARK in file.data)
            for file in files
        ]
        return blocks.pack(files, found)

    def known(self, unit: Unit) -> bool:
        """Whether the earlier block is still that of the unit."""
        if unit.earlier is None:
            return False
        before = [(head.path, head.digest) for head in blocks.heads(unit.earlier)]
        return before == [(path, self.files[path].digest) for path in unit.paths]


def units(paths: Iterable[str], earlier: Sequence[Block]) -> Iterator[Unit]:
    """Yield paths, which are in order, as units; the borders are those of earlier blocks where there are any."""
    waiting: list[str] = []
    at = 0
    for path in paths:
        while at < len(earlier) and path > earlier[at].last:
            yield from _cut(waiting, earlier[at])
            waiting, at = [], at + 1
        waiting.append(path)
        if at == len(earlier) and len(waiting) == blocks.FILES:
            yield Unit(tuple(waiting))
            waiting = []
    yield from _cut(waiting, earlier[at] if at < len(earlier) else None)


def _cut(paths: Sequence[str], earlier: Block | None) -> Iterator[Unit]:
    """Yield files as units that are no larger than twice what they should be."""
    size = len(paths) if len(paths) <= 2 * blocks.FILES else blocks.FILES
    for start in range(0, len(paths), size or 1):
        yield Unit(tuple(paths[start : start + size]), earlier)


def jobs_for(size: int) -> int:
    """Return how many processes are worth their start: one for each MiB of manifests, one a core at most."""
    return max(1, min(len(os.sched_getaffinity(0)), size // SHARE))


def make(
    maker: Maker,
    todo: Sequence[Unit],
    jobs: int,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Block]:
    """Make blocks in several processes, forked: what they judge with is there already. Raises ``SourceError``.

    Each has one unit to begin with, and takes the next as it is done with its last; it reads its files by itself and
    answers with blocks. What a process that died leaves undone is done here.
    """
    jobs = max(1, min(jobs, len(todo), _PIPE // _NUMBER.size))
    found: dict[int, Block] = {}
    done = 0
    queue, writing = os.pipe()
    # More than a pipe holds are left to the end; who has that many has long been waiting for the disk.
    handed = range(jobs, min(len(todo), _PIPE // _NUMBER.size))
    os.write(writing, b"".join(_NUMBER.pack(number) for number in handed))
    os.close(writing)
    workers = [_start(maker, todo, first, queue) for first in range(1, jobs)]
    try:
        for number in _taken(0, queue) if todo else ():
            found[number] = maker.make(todo[number])
            done += len(todo[number].paths)
            progress(done)
    finally:
        os.close(queue)
        answers = [_answer(*worker) for worker in workers]
    for data in answers:
        # A process that died has told nothing that is whole.
        with contextlib.suppress(ValueError):
            found |= {number: Block._make(block) for number, block in loads(data).items()}
    return [
        found[number] if number in found else maker.make(unit) for number, unit in enumerate(todo)
    ]


def _taken(first: int, queue: int) -> Iterator[int]:
    """Yield one number, then those that come out of a pipe until it is empty: each is read by one process only."""
    yield first
    while number := os.read(queue, _NUMBER.size):
        yield _NUMBER.unpack(number)[0]


def _start(maker: Maker, todo: Sequence[Unit], first: int, queue: int) -> tuple[int, int]:
    """Fork a process that makes blocks and writes them into a pipe; returns its id and the pipe's end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(reading)
        found = {number: tuple(maker.make(todo[number])) for number in _taken(first, queue)}
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
