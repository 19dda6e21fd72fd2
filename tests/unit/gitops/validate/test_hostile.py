"""Manifests made to break a reader: each gives findings, quickly and within bounds. Fuzzing found some of them."""

from __future__ import annotations

import time
import tracemalloc
from hashlib import sha256

import pytest

from reconciler.gitops.render import render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import validate

MEGABYTE = 1024 * 1024


def looked(data: bytes, name: str = "a.yaml") -> list[str]:
    snapshot = Snapshot("", {name: File(name, sha256(data).hexdigest(), data)})
    rendered = render(snapshot)
    return [f.rule for f in (*rendered.findings, *validate(rendered.documents))]


@pytest.mark.parametrize("kind", ["x" * 5000, "a\\0b", "../../etc/passwd", "a/b", ".", "Pod\\n"])
@pytest.mark.parametrize("version", ["v1", "x" * 5000 + "/v1", "a/b/c", "\\0"])
def test_a_kind_is_a_name_and_never_a_path(kind: str, version: str) -> None:
    looked(f'apiVersion: "{version}"\nkind: "{kind}"\nmetadata: {{name: a}}\n'.encode())


FILLINGS = {
    "brackets": b"[" * MEGABYTE,
    "dashes": b"- " * (MEGABYTE // 2),
    "questions": b"? " * (MEGABYTE // 2),
    "anchors": b"&a " * (MEGABYTE // 3),
    "documents": b"---\n" * (MEGABYTE // 4),
    "broken documents": b"---\n[\n" * (MEGABYTE // 6),
    "one line": b"a: " + b"x" * MEGABYTE,
    "one key": b"k" * MEGABYTE + b": 1",
    "comments": b"#\n" * (MEGABYTE // 2),
    "ignores": b"a: 1 # reconciler: ignore=x\n" * (MEGABYTE // 28),
    "quotes": b'"' * MEGABYTE,
    "digits": b"a: " + b"9" * MEGABYTE,
    "keys": b"".join(b"k%d: v\n" % n for n in range(MEGABYTE // 10)),
    "twice": b"k: v\n" * (MEGABYTE // 5),
    "empty lists": b"[" + b"[]," * (MEGABYTE // 3) + b"]",
    "nothing": b"\0" * MEGABYTE,
    "wide": "\u4e00".encode() * (MEGABYTE // 3),
    "merges": b"a: &a {b: 1}\n" + b"c: {<<: [" + b"*a," * (MEGABYTE // 3) + b"]}\n",
    "tags": b"- !!binary aGk=\n" * (MEGABYTE // 16),
    "bombs": b"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" * (MEGABYTE // 70),
    "items": b"apiVersion: v1\nkind: List\nitems:\n" + b"- {a: 1}\n" * (MEGABYTE // 9),
    "pods": b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [" + b"{x: 1}," * (MEGABYTE // 8) + b"]}\n",
}  # fmt: skip


@pytest.mark.parametrize("name", FILLINGS)
def test_a_megabyte_of_anything_is_looked_through_in_time(name: str) -> None:
    started = time.process_time()
    looked(FILLINGS[name])
    # The promise is two seconds of a processor; what is slowest here takes about one.
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "name", ["brackets", "documents", "keys", "items", "bombs", "merges", "pods"]
)
def test_a_megabyte_of_anything_takes_no_256_of_memory(name: str) -> None:
    tracemalloc.start()
    try:
        looked(FILLINGS[name])
        assert tracemalloc.get_traced_memory()[1] < 256 * MEGABYTE
    finally:
        tracemalloc.stop()
