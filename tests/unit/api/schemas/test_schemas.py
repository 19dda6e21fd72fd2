"""What breaks a schema is found at its place, and said so that a user knows what to write instead."""

from __future__ import annotations

import json
import time
from typing import Any

import jsonschema
import pytest

from reconciler.api import schemas
from reconciler.api.kinds import KINDS
from reconciler.api.objects import GroupVersionKind


def deployment(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "nginx"}]},
            },
            **spec,
        },
    }


def test_every_kind_that_is_run_has_a_schema() -> None:
    missing = [k.kind for k in KINDS if k.run and schemas.load(k.gvk) is None]
    assert not missing


@pytest.mark.parametrize("path", sorted(schemas.directory().glob("*.json")), ids=lambda p: p.stem)
def test_each_schema_is_a_schema_and_stands_alone(path: Any) -> None:
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        assert reference.removeprefix("#/$defs/") in schema["$defs"]


def test_a_good_object_has_no_errors() -> None:
    assert schemas.errors(deployment(replicas=2, paused=None)) == []
    assert schemas.is_valid(deployment())


@pytest.mark.parametrize(
    ("obj", "path", "says"),
    [
        (deployment(replica=3), ("spec", "replica"), 'did you mean "replicas"?'),
        (deployment(replicas="three"), ("spec", "replicas"), "expected an integer"),
        (deployment(strategy={"type": "Rolling"}), ("spec", "strategy", "type"), "RollingUpdate"),
        (deployment(selector="web"), ("spec", "selector"), "expected an object"),
        (
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {}},
            ("spec",),
            'missing field "selector"',
        ),
    ],
)
def test_a_mistake_is_named_where_it_is(
    obj: dict[str, Any], path: tuple[Any, ...], says: str
) -> None:
    found = schemas.errors(obj)
    assert any(e.path == path and says in f"{e.message} {e.hint}" for e in found), found


def test_a_number_where_text_belongs_is_told_to_be_quoted() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"port": 80}}
    (error,) = schemas.errors(config)
    assert error.path == ("data", "port")
    assert error.hint == 'quote it: "80"'


def test_a_kind_without_a_schema_is_not_judged() -> None:
    assert schemas.errors({"apiVersion": "example.org/v1", "kind": "Thing", "anything": 1}) == []
    assert schemas.load(GroupVersionKind("", "v1", "../../etc/passwd")) is None


@pytest.mark.parametrize("pattern", ["(a|a)*$", "^(a+)+$", "^(?!b)(a|aa)+$"])
def test_no_author_of_a_pattern_holds_a_check_up(pattern: str) -> None:
    begun = time.process_time()
    found = schemas.violations({"properties": {"x": {"pattern": f"^{pattern}"}}}, {"x": "a" * 5000 + "!"})  # fmt: skip
    assert [e.keyword for e in found] == ["pattern"]
    assert time.process_time() - begun < 2
