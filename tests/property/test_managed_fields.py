"""Laws of server-side apply (M06-M10)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api.managed_fields import apply, fieldset, track
from reconciler.api.objects import GroupVersionKind, Object
from reconciler.errors import Conflict

DEPLOYMENT = GroupVersionKind("apps", "v1", "Deployment")
TIME = "2024-01-01T00:00:00Z"

containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "c"]), "image": st.sampled_from(["x:1", "x:2"])},
        optional={"args": st.lists(st.sampled_from(["-v", "-q"]), max_size=2)},
    ),
    min_size=1, max_size=3, unique_by=lambda c: str(c["name"]),
)  # fmt: skip
specs = st.fixed_dictionaries(
    {
        "template": st.fixed_dictionaries(
            {"spec": st.fixed_dictionaries({"containers": containers})}
        )
    },
    optional={
        "replicas": st.integers(0, 3),
        "paused": st.booleans(),
        "selector": st.fixed_dictionaries({"matchLabels": st.just({"app": "web"})}),
    },
)
labels = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2"]), max_size=3)


def deployment(spec: dict[str, Any], label: dict[str, str] | None = None) -> Object:
    meta: dict[str, Any] = {"name": "web", "namespace": "default"}
    if label:
        meta["labels"] = label
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def applied(live: Object | None, obj: Object, manager: str, *, force: bool = False) -> Object:
    return apply(live, obj, manager=manager, gvk=DEPLOYMENT, time=TIME, force=force)


def without_owners(obj: Object) -> Object:
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return {**obj, "metadata": meta}


@given(specs, labels)
def test_applying_twice_is_applying_once(spec: dict[str, Any], label: dict[str, str]) -> None:
    """M06."""
    obj = deployment(spec, label)
    kept = json.dumps(obj)
    once = applied(None, obj, "me")
    assert applied(once, obj, "me") == once
    assert json.dumps(obj) == kept, "the input was changed"


@given(specs, specs)
def test_who_applies_alone_gets_exactly_what_was_applied(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    """M07: what is no longer applied goes; nothing else does."""
    live = applied(applied(None, deployment(first), "me"), deployment(second), "me")
    assert sorted_lists(without_owners(live)) == sorted_lists(deployment(second))


def sorted_lists(value: Any) -> Any:
    """Order the containers: apply keeps an order, but which one is not this test's matter."""
    if isinstance(value, dict):
        return {k: sorted_lists(v) for k, v in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sorted((sorted_lists(v) for v in value), key=lambda v: str(v["name"]))
    return value


@given(specs, labels, labels)
def test_the_others_fields_stay(
    spec: dict[str, Any], mine: dict[str, str], yours: dict[str, str]
) -> None:
    """M08: two managers with the same values share; one gives up and the field stays."""
    live = applied(None, deployment(spec, mine), "me")
    live = applied(live, deployment(spec, yours), "you", force=True)
    live = applied(live, deployment(spec), "me", force=True)
    assert live["metadata"].get("labels", {}) == yours


@given(specs)
def test_another_value_is_a_conflict_that_names_the_manager(spec: dict[str, Any]) -> None:
    """M06: and force takes the field over."""
    live = applied(None, deployment({**spec, "replicas": 1}), "me")
    other = deployment({**spec, "replicas": 2})
    with pytest.raises(Conflict, match=r'conflict with "me" using apps/v1: \.spec\.replicas'):
        applied(live, other, "you")
    forced = applied(live, other, "you", force=True)
    assert forced["spec"]["replicas"] == 2
    with pytest.raises(Conflict, match='"you"'):
        applied(forced, deployment({**spec, "replicas": 1}), "me")


@given(specs)
def test_an_update_takes_what_it_changes(spec: dict[str, Any]) -> None:
    """M10: whoever scales by hand owns the replicas; a later apply of the same value conflicts until forced."""
    live = applied(None, deployment({**spec, "replicas": 1}), "me")
    scaled = {**live, "spec": {**live["spec"], "replicas": 3}}
    owners = track(live, scaled, manager="scaler", gvk=DEPLOYMENT, time=TIME)
    assert {o["manager"] for o in owners} == {"me", "scaler"}
    scaler = next(o for o in owners if o["manager"] == "scaler")
    assert scaler["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    mine = next(o for o in owners if o["manager"] == "me")
    assert "f:replicas" not in mine["fieldsV1"]["f:spec"]


fieldsets: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({".": {}}),
    lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}']), inner, min_size=1, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(fieldsets, fieldsets)
def test_sets_of_fields_are_sets(left: dict[str, Any], right: dict[str, Any]) -> None:
    both = fieldset.union(left, right)
    assert fieldset.union(right, left) == both
    assert fieldset.difference(both, left) == fieldset.difference(right, left)
    assert fieldset.intersection(left, both) == left
    assert not fieldset.intersection(fieldset.difference(left, right), right)
    assert fieldset.from_json(fieldset.to_json(left)) == left
