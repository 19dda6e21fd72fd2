"""What a Secret holds is in no format's output, however the manifest is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.cli.validate.formats import FORMATS
from tests.unit.cli.line import reconciler

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "manifest",
    [
        HEAD + "stringData: {pin: 4711}\n",
        HEAD + "stringData:\n  pin: 4711\n",
        HEAD + "stringData: {pin: 4, other: hunter4711}\n",
        HEAD + "data: {pin: hunter4711!}\n",
        HEAD + "data: hunter4711\n",
        HEAD + "strngData: {pin: hunter4711}\n",
        HEAD + "stringData:\n- hunter4711\n",
        HEAD + "stringData: {.dockerconfigjson: hunter4711}\ntype: kubernetes.io/dockerconfigjson\n",
        HEAD + "stringData: {no/key: hunter4711}\n",
        HEAD + "stringData: {pin: hunter4711, pin: x}\n",
        HEAD + "password: >\n  hunter4711\n",
        "{apiVersion: v1, kind: Secret, metadata: {name: A_}, stringData: {pin: hunter4711}}\n",
        "{apiVersion: v1, kind: Secret, stringData: {pin: hunter4711}}\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: A_}, data: {a: hunter4711}}\n",
    ],
)  # fmt: skip
def test_no_format_shows_what_a_secret_holds(tmp_path: Path, form: str, manifest: str) -> None:
    (tmp_path / "a.yaml").write_text(manifest)
    done = reconciler(
        "--state-dir", str(tmp_path / "state"), "validate", str(tmp_path / "a.yaml"), "--format", form
    )  # fmt: skip
    assert done.exit_code == 3
    assert "4711" not in done.stdout


def test_the_culprit_stays_where_it_is_when_values_are_hidden(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD + "stringData: {pin: 4711, b: text}\n")
    done = reconciler("validate", str(tmp_path / "a.yaml"), "--format", "human")
    lines = done.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("4 | "))
    assert lines[at] == "4 | stringData: ••••• ••••• •• •••••"
    assert lines[at + 1] == "  |                   ^^^^"
    assert "hint: write it in quotes" in done.stdout


def test_a_secrets_name_and_type_are_shown(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD.replace("{name: s}", "\n  name: A_"))
    done = reconciler("validate", str(tmp_path / "a.yaml"), "--format", "human")
    assert "4 |   name: A_" in done.stdout
