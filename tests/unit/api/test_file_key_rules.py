"""What a variable that comes from a file must name."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.api import rules

GOOD = {"volumeName": "c", "path": "app.env", "key": "A"}


def found(**ref: Any) -> list[str]:
    env = [{"name": "A", "valueFrom": {"fileKeyRef": {**GOOD, **ref}}}]
    volumes = [{"name": "c", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "s"}}]
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "a:1", "env": env}], "volumes": volumes},
    }  # fmt: skip
    return [f"{'.'.join(map(str, p.path[7:]))}: {p.message}" for p in rules.problems(pod)]


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ({}, []),
        ({"path": ""}, ["path: Required value"]),
        ({"path": "/a"}, ['path: Invalid value: "/a": must be a relative path']),
        ({"path": "a/../b"}, ["path: Invalid value: \"a/../b\": must not contain '..'"]),
        ({"key": ""}, ["key: Required value"]),
        ({"volumeName": ""}, ["volumeName: Required value"]),
        ({"volumeName": "x"}, ['volumeName: Not found: "x"']),
        ({"volumeName": "s"}, ['volumeName: Invalid value: "s": referenced volume must be of type emptyDir']),
    ],
)  # fmt: skip
def test_a_file_is_one_of_an_empty_dir(ref: dict[str, Any], told: list[str]) -> None:
    assert found(**ref) == told


def test_a_key_is_a_name_of_a_variable() -> None:
    (told,) = found(key="A=B")
    assert told.startswith('key: Invalid value: "A=B": a valid environment variable name')
