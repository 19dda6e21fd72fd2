"""Custom resources as an API server reads them: nulls, sets, maps, embedded resources and formats."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.api.schemas import Validator
from reconciler.api.schemas.conversion import structural

STRING = {"type": "string"}


def told(fields: dict[str, Any], spec: dict[str, Any], **more: Any) -> list[tuple[Any, ...]]:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": fields, **more}},
    }
    validator = Validator(structural(schema))
    obj = {"apiVersion": "a.io/v1", "kind": "A", "metadata": {"name": "a"}, "spec": spec}
    errors = validator.errors(obj)
    assert validator.is_valid(obj) == (not errors)
    return [(*e.path[1:], e.message) for e in errors]


@pytest.mark.parametrize(
    "schema",
    [
        STRING,
        {"type": "string", "enum": ["A"]},
        {"type": "object", "properties": {"a": STRING}},
        {"type": "array", "items": STRING},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "string", "nullable": True},
    ],
)
def test_null_is_not_set(schema: dict[str, Any]) -> None:
    assert told({"a": schema}, {"a": None}) == []
    assert told({"a": {"type": "object", "additionalProperties": schema}}, {"a": {"b": None}}) == []


def test_null_is_no_value_of_a_field_that_is_required() -> None:
    assert told({"a": STRING}, {"a": None}, required=["a"]) == [('missing field "a"',)]
    with_default = STRING | {"default": "x"}
    assert told({"a": with_default}, {"a": None}, required=["a"]) == []


def test_what_has_a_default_need_not_be_there_though_it_is_required() -> None:
    inner = {"type": "object", "required": ["b"], "properties": {"b": STRING | {"default": "x"}}}
    assert told({"a": inner | {"default": {}}}, {}, required=["a"]) == []
    assert told({"a": inner}, {"a": {}}) == []
    assert told({"a": inner}, {}, required=["a"]) == [('missing field "a"',)]
    items = {"type": "array", "items": inner}
    assert told({"a": items}, {"a": [{}, {"b": 1}]}) == [
        ("a", 1, "b", "expected a string, got number 1")
    ]


def test_null_is_no_item_of_a_list() -> None:
    wrong = told({"a": {"type": "array", "items": STRING}}, {"a": ["x", None]})
    assert wrong == [("a", 1, "expected a string, got null")]


def test_sets_and_maps_hold_each_item_once() -> None:
    a_set = {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}
    assert told({"a": a_set}, {"a": ["x", "y", "x"]}) == [("a", 2, 'Duplicate value: "x"')]
    item = {"type": "object", "properties": {"k": STRING, "p": {**STRING, "default": "TCP"}}}
    a_map = {
        "type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k", "p"],
    }  # fmt: skip
    same = [{"k": "a"}, {"k": "a", "p": "UDP"}, {"k": "a", "p": "TCP"}]
    assert told({"a": a_map}, {"a": same}) == [("a", 2, 'Duplicate value: {"k":"a","p":"TCP"}')]
    assert told({"a": a_map}, {"a": same[:2]}) == []


def test_what_else_is_wrong_is_told_beside_a_duplicate() -> None:
    a_set = {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}
    wrong = told({"a": a_set, "b": STRING}, {"a": ["x", "x"], "b": 1})
    assert wrong == [
        ("b", "expected a string, got number 1"), ("a", 1, 'Duplicate value: "x"'),
    ]  # fmt: skip


def test_an_embedded_resource_says_what_it_is() -> None:
    inner = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}  # fmt: skip
    assert told({"a": inner}, {"a": {"apiVersion": "v1", "kind": "Pod", "x": 1}}) == []
    assert told({"a": inner}, {"a": {"kind": "Pod"}}) == [("a", 'missing field "apiVersion"')]


@pytest.mark.parametrize(
    ("word", "right", "wrong"),
    [
        ("ipv4", ["10.0.0.1"], ["10.0.0", "::1", "010.0.0.1"]),
        ("ipv6", ["::1", "::ffff:1.2.3.4"], ["10.0.0.1", "fe80::1%eth0"]),
        ("cidr", ["10.0.0.0/8", "10.1.2.3/8", "fd00::/64"], ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.0.0.0"]),
        ("date", ["2026-01-31"], ["2026-02-30", "2026-W05-6", "20260131"]),
        ("uuid", ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6"], ["f81d4fae"]),
        ("duration", ["1h", "5 days"], []),
    ],
)  # fmt: skip
def test_formats_are_those_of_an_api_server(word: str, right: list[str], wrong: list[str]) -> None:
    schema = {"type": "string", "format": word}
    assert [v for v in right if told({"a": schema}, {"a": v})] == []
    assert [v for v in wrong if not told({"a": schema}, {"a": v})] == []
