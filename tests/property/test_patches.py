"""Laws of JSON merge patch and JSON patch."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api.patches import json_patch, merge_diff, merge_patch
from reconciler.errors import BadRequest, Invalid

scalars = st.one_of(st.booleans(), st.integers(-5, 5), st.text("ab~/", max_size=3))
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
mappings = st.dictionaries(st.text("abc", min_size=1, max_size=2), values, max_size=4)


@given(mappings, mappings)
def test_the_difference_of_two_leads_from_one_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert merge_patch(before, merge_diff(before, after)) == after


@given(mappings, mappings)
def test_a_merge_patch_twice_is_a_merge_patch_once(
    target: dict[str, Any], patch: dict[str, Any]
) -> None:
    kept = json.dumps(target)
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert json.dumps(target) == kept, "the input was changed"


@given(mappings, st.text("abc", min_size=1, max_size=2), values)
def test_adding_and_removing_leaves_what_was(target: dict[str, Any], key: str, value: Any) -> None:
    kept = json.dumps(target)
    path = f"/{key}"
    added = json_patch(
        target,
        [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}],
    )
    assert added[key] == value
    removed = json_patch(added, [{"op": "remove", "path": path}])
    assert removed == {k: v for k, v in target.items() if k != key}
    assert json.dumps(target) == kept, "the input was changed"


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
        ({"foo": ["a", "b"]}, [{"op": "add", "path": "/foo/-", "value": "c"}], {"foo": ["a", "b", "c"]}),
        ({"foo": {"bar": 1}}, [{"op": "move", "from": "/foo/bar", "path": "/baz"}], {"foo": {}, "baz": 1}),
        ({"a/b": 1, "m~n": 2}, [{"op": "replace", "path": "/a~1b", "value": 3}, {"op": "remove", "path": "/m~0n"}], {"a/b": 3}),
    ],
)  # fmt: skip
def test_examples_of_rfc_6902(document: Any, patch: Any, result: Any) -> None:
    assert json_patch(document, patch) == result


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "remove", "path": "/nothing"}],
        [{"op": "replace", "path": "/list/3", "value": 1}],
        [{"op": "test", "path": "/list", "value": [1, True]}],
        [{"op": "add", "path": "/list/01", "value": 1}],
        [{"op": "move", "from": "/list", "path": "/list/0"}],
        "text",
        [{"op": "jump", "path": "/list"}],
        [{"op": "add", "path": "list", "value": 1}],
        [{"op": "copy", "from": "", "path": f"/x{n}"} for n in range(40)],
    ],
)
def test_what_does_not_fit_is_refused(patch: Any) -> None:
    with pytest.raises((Invalid, BadRequest)):
        json_patch({"list": [1, 1]}, patch)
