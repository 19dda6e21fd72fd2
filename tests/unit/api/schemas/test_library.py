"""Schemas are found in directories, read once, and never taken from a file that is of another kind or broken."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING

from reconciler.api import schemas, structure
from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas.standalone import file_name, long_file_name, standalone, written

if TYPE_CHECKING:
    from pathlib import Path

ONE = GroupVersionKind("shop.example.org", "v1", "Cart")
OTHER = GroupVersionKind("shop.example.com", "v1", "Cart")
_PARTS = {
    "type": "array",
    "items": {"type": "object", "properties": {"name": {"type": "string"}}},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}


def put(directory: Path, gvk: GroupVersionKind, name: str = "") -> None:
    directory.mkdir(exist_ok=True)
    spec = {"type": "object", "additionalProperties": False, "properties": {"parts": _PARTS}}
    schema = standalone(gvk, {"properties": {"spec": spec}}, {})
    (directory / (name or file_name(gvk))).write_text(written(schema))


def test_two_groups_that_begin_alike_do_not_hide_each_other(tmp_path: Path) -> None:
    put(tmp_path, ONE)
    put(tmp_path, OTHER, long_file_name(OTHER))
    library = schemas.Library(tmp_path)
    assert library.validator(ONE) is not None
    assert library.validator(OTHER) is not None
    assert {gvk for gvk, _ in library.kinds()} == {ONE, OTHER}


def test_the_first_directory_counts(tmp_path: Path) -> None:
    put(tmp_path / "a", ONE)
    put(tmp_path / "b", ONE)
    put(tmp_path / "b", OTHER, long_file_name(OTHER))
    library = schemas.Library(tmp_path / "a", tmp_path / "b", tmp_path / "none")
    assert [path.parent.name for _, path in library.kinds()] == ["a", "b"]


def test_a_file_that_is_no_schema_of_the_kind_counts_as_absent(tmp_path: Path) -> None:
    for text in ("", "[]", "{", "[" * 100_000, '{"properties": 1}', '{"properties": {"kind": {}}}'):
        (tmp_path / file_name(ONE)).write_text(text)
        assert schemas.Library(tmp_path).load(ONE) is None
    put(tmp_path, OTHER, file_name(ONE))
    assert schemas.Library(tmp_path).load(ONE) is None


def test_apply_merges_by_the_schemas_in_force(tmp_path: Path) -> None:
    put(tmp_path, ONE)

    def merge() -> structure.Merge:
        return structure.of(ONE).child("spec").child("parts").merge([])

    def within() -> structure.Merge:
        schemas.use(schemas.Library(schemas.directory(), tmp_path))
        return merge()

    assert contextvars.copy_context().run(within) is structure.Merge.LIST_MAP
    assert merge() is structure.Merge.ATOMIC
