"""What a schema is broken by is found by the compiled schema as ``jsonschema`` itself would find it."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api import schemas
from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas.explain import explain
from reconciler.api.schemas.formats import FORMATS

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70_000) | st.floats(-1, 2) | st.sampled_from(
        ["", "x", "1", "100m", "Always", "TCP", "aGk=", "2026-01-31T12:00:00Z"]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["name", "image", "ports", "containerPort", "spec", "matchLabels", "nam"]),
        inner, max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip


def whole() -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "ports": [{"containerPort": 80, "protocol": "TCP"}],
                            "resources": {"limits": {"cpu": "100m"}},
                            "readinessProbe": {"httpGet": {"port": "http"}},
                        }
                    ]
                },
            },
        },
    }


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, item in inside:
        found.append((*path, name))
        if isinstance(item, dict | list):
            found += paths(item, (*path, name))
    return found


@given(path=st.sampled_from(paths(whole())), value=VALUES)
def test_both_libraries_find_the_same(path: tuple[str | int, ...], value: Any) -> None:
    obj = whole()
    part: Any = obj
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    validator = schemas.validator(GroupVersionKind("apps", "v1", "Deployment"))
    assert validator is not None
    checker = jsonschema.FormatChecker(formats=())
    for name, is_right in FORMATS.items():
        checker.checks(name)(is_right)
    slow = jsonschema.Draft202012Validator(validator.schema, format_checker=checker)
    expected = {e for error in slow.iter_errors(obj) for e in explain(error)}
    assert set(validator.errors(obj)) == expected


def test_a_part_of_a_schema_that_refers_to_itself_is_explained() -> None:
    schema = {
        "$defs": {
            "a/b": {"properties": {"in": {"$ref": "#/$defs/a~1b"}, "n": {"type": "integer"}}}
        },
        "$ref": "#/$defs/a~1b",
    }
    (error,) = schemas.Validator(schema).errors({"in": {"in": {"n": "x"}}})
    assert error.path == ("in", "in", "n")
    assert error.message == 'expected an integer, got string "x"'


@pytest.mark.parametrize(
    "schema", [{"properties": {"a": False}}, {"propertyNames": {"maxLength": 1}}]
)
def test_what_no_path_leads_to_is_explained_all_the_same(schema: dict[str, Any]) -> None:
    """A schema that is false has no keyword: the way through it cannot be followed."""
    assert not schemas.Validator(schema).is_valid({"a": 1, "bb": 2})
    assert schemas.Validator(schema).errors({"a": 1, "bb": 2})
