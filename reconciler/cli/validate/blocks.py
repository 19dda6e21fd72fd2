"""What is known of files that follow one another, packed: some 60 bytes a document instead of some 2,000 as objects.

Plain tuples, pickled and compressed. What is told of documents lies apart from what others must know of them, which is
not opened where nobody asks for references.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import GroupVersionKind, Key
from reconciler.cli.validate.cache import dumps, loads
from reconciler.cli.validate.findings import expanded, flat
from reconciler.cli.validate.records import FileRecord
from reconciler.gitops.finding import ObjectName
from reconciler.gitops.render.document import Origin
from reconciler.gitops.validate.judged import ONCE, Verdict
from reconciler.gitops.validate.references.reference import Facts, Part, Reference, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.source import File

#: A document as plain tuples.
Plain = tuple[int, tuple[Any, ...], tuple[str, ...], Any, Any]

#: So many files lie in a block: more take less memory, fewer are opened faster.
FILES = 32


class Block(NamedTuple):
    """Files in the order of paths. ``partial`` are those whose documents are not known from a record.

    ``says`` are the sorts of things that there are: files and documents with findings, once, comments, notices, defines.
    """

    last: str
    documents: int
    partial: tuple[str, ...]
    says: tuple[str, ...]
    files: bytes
    told: bytes
    known: bytes


class Head(NamedTuple):
    """One file of a block, and how many documents of it are in the block."""

    path: str
    digest: str
    whole: bool
    commented: bool
    documents: int


class Notes(NamedTuple):
    """What decides whether the rest must be opened. Numbers are those of documents of the block."""

    notices: list[tuple[int, str, str]]
    defines: list[tuple[int, tuple[GroupVersionKind, ...]]]
    kinds: frozenset[tuple[str, str]]  # apiVersion and kind of documents


class Known(NamedTuple):
    """One document: the number of its file, where it stands (with no file's name), and what others must know."""

    file: int
    origin: Origin
    name: ObjectName
    key: Key | None
    facts: Facts | None


def pack(files: Sequence[File], records: Sequence[FileRecord]) -> Block:
    """Return the block of some files and their records."""
    places = [(f.path, r.whole, len(r.documents)) for f, r in zip(files, records, strict=True)]
    heads, findings, notices, defines = [], [], [], []
    known: list[Plain] = []
    kinds: set[tuple[str, str]] = set()
    for place, (file, record) in enumerate(zip(files, records, strict=True)):
        heads.append((
            file.path, bytes.fromhex(file.digest), record.whole, record.commented, len(record.documents),
        ))  # fmt: skip
        findings += [(place, -1, flat(f)) for f in record.findings]
        for origin, name, verdict in record.documents:
            number = len(known)
            findings += [(place, number, flat(f)) for f in verdict.findings]
            if verdict.notice is not None:
                notices.append((number, *verdict.notice))
            if verdict.defines:
                defines.append((number, tuple(map(tuple, verdict.defines))))
            kinds.add((name.api_version, name.kind))
            known.append((place, origin[1:], tuple(name), *_flat_known(verdict)))
    partial = tuple(f.path for f, r in zip(files, records, strict=True) if not r.whole)
    sorts = {
        "files": any(number < 0 for _, number, _ in findings),
        "documents": any(number >= 0 for _, number, _ in findings),
        "once": any(found[0] == ONCE for _, _, found in findings),
        "comments": any(record.commented for record in records),
        "notices": bool(notices),
        "defines": bool(defines),
    }
    says = tuple(sort for sort, there in sorts.items() if there)
    told = (findings, notices, defines, sorted(kinds))
    return Block(
        files[-1].path,
        len(known),
        partial,
        says,
        _packed(heads),
        _packed(told),
        _packed((places, known)),
    )


def heads(block: Block) -> list[Head]:
    """Return the files of a block."""
    return [Head(path, digest.hex(), *rest) for path, digest, *rest in _unpacked(block.files)]


def told(block: Block) -> list[tuple[int, int, Finding]]:
    """Return what is wrong: the number of the file, of the document in the block (or -1), and the finding with its file's path."""
    return [(place, number, expanded(packed)) for place, number, packed in _unpacked(block.told)[0]]


def notes(block: Block) -> Notes:
    """Return what else is told of the documents of a block."""
    _, notices, defines, kinds = _unpacked(block.told)
    return Notes(
        notices,
        [(number, tuple(map(GroupVersionKind._make, found))) for number, found in defines],
        frozenset(kinds),
    )


class Opened(NamedTuple):
    """A block's files (path, whether it is whole, how many documents are here), and its documents.

    The documents are as they lie there: who needs one need not make objects of all.
    """

    files: list[tuple[str, bool, int]]
    documents: list[Plain]


def opened(block: Block) -> Opened:
    """Return what lies in a block."""
    return Opened(*_unpacked(block.known))


def known(document: Plain) -> Known:
    """Return what is known of a document."""
    place, origin, name, _, _ = document
    return Known(place, Origin("", *origin), ObjectName._make(name), *said(document))


def said(document: Plain) -> tuple[Key | None, Facts | None]:
    """Return what others must know of a document."""
    key, facts = document[3:]
    found = _facts(facts) if facts else None
    return found.key if found is not None and key is None else Key(*key) if key else None, found


def records(block: Block) -> dict[tuple[str, str], FileRecord]:
    """Return what was packed, by path and digest."""
    says, documents = notes(block), [known(document) for document in opened(block).documents]
    notices = {number: (rule, words) for number, rule, words in says.notices}
    defines = dict(says.defines)
    of_files: dict[int, list[Finding]] = {}
    of_documents: dict[int, list[Finding]] = {}
    for place, number, finding in told(block):
        found = (
            of_files.setdefault(place, []) if number < 0 else of_documents.setdefault(number, [])
        )
        found.append(finding)
    result: dict[tuple[str, str], FileRecord] = {}
    number = 0
    for place, head in enumerate(heads(block)):
        held = []
        for one in documents[number : number + head.documents]:
            verdict = Verdict(
                tuple(of_documents.get(number, ())), one.facts, notices.get(number),
                defines.get(number, ()), one.key,
            )  # fmt: skip
            held.append((one.origin._replace(file=head.path), one.name, verdict))
            number += 1
        result[head.path, head.digest] = FileRecord(
            tuple(of_files.get(place, ())), tuple(held), head.whole, head.commented
        )
    return result


def _packed(value: Any) -> bytes:
    return zlib.compress(dumps(value), 1)


def _unpacked(data: bytes) -> Any:
    return loads(zlib.decompress(data))


def _flat_known(verdict: Verdict) -> tuple[Any, Any]:
    """Return key (None where it is that of the facts, empty where there is none) and facts."""
    key, facts = verdict.key, verdict.facts
    plain = tuple(key or ())
    if facts is None:
        return plain, None
    return None if facts.key == key else plain, _flat_facts(facts)


def _flat_facts(facts: Facts) -> tuple[Any, ...]:
    key, references, selector, labels, ports, targets, routes, nodes, scales, makes = facts
    if facts[1:] == _NOTHING:
        return (tuple(key),)
    return (
        tuple(key),
        [
            (tuple(to), path, rule, severity, [tuple(p) for p in parts], why)
            for to, path, rule, severity, parts, why in references
        ],
        selector, labels, tuple(sorted(ports)), [tuple(t) for t in targets],
        [tuple(r) for r in routes], [tuple(n) for n in nodes], scales and tuple(scales),
        [tuple(k) for k in makes],
    )  # fmt: skip


_NOTHING = Facts(Key("", "", "", ""))[1:]


def _facts(packed: tuple[Any, ...]) -> Facts:
    if len(packed) == 1:
        return Facts(Key(*packed[0]))
    key, references, selector, labels, ports, targets, routes, nodes, scales, makes = packed
    return Facts(
        Key._make(key),
        tuple(
            Reference(Key(*to), path, rule, severity, tuple(map(Part._make, parts)), why)
            for to, path, rule, severity, parts, why in references
        ),
        selector, labels, frozenset(ports), tuple(map(Part._make, targets)),
        tuple(map(Route._make, routes)), tuple(map(Part._make, nodes)), scales and Key._make(scales),
        tuple(map(Key._make, makes)),
    )  # fmt: skip
