"""``reconciler plan`` over files: against another revision, another directory, nothing. No daemon, real git."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: %s, motd: 'hi'}\n"
)
SECRET = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {password: %s, user: same}\n"
)
JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: m, image: "m:1", command: [m], envFrom: [{configMapRef: {name: settings}}]}]}
"""


class Checkout:
    """A git repository with one commit, and the command over it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys
        self.git("init", "-q")
        self.write(a=SETTINGS % "red", b=SECRET % "hunter2")
        self.git("add", "-A")
        self.git("commit", "-qm", "first")

    def git(self, *arguments: str) -> None:
        who = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }
        subprocess.run(
            ["git", "-C", str(self.root), *arguments], check=True, env={**os.environ, **who}
        )

    def write(self, **files: str) -> None:
        for old in self.root.glob("deploy/*"):
            old.unlink()
        (self.root / "deploy").mkdir(exist_ok=True)
        for name, text in files.items():
            (self.root / "deploy" / f"{name}.yaml").write_text(text)

    def plan(self, *arguments: str, code: int = 0, path: str = "deploy") -> tuple[str, str]:
        with pytest.raises(SystemExit) as done:
            main(
                ["--state-dir", str(self.root / "state"), "plan", str(self.root / path), *arguments]
            )
        shown = self._capsys.readouterr()
        assert done.value.code == code, shown
        return shown.out, shown.err

    def json(self, *arguments: str) -> Any:
        return json.loads(self.plan("--format", "json", *arguments)[0])


@pytest.fixture
def checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checkout:
    return Checkout(tmp_path, capsys)


def test_the_difference_to_a_commit_with_secrets_masked(checkout: Checkout) -> None:
    checkout.write(a=SETTINGS % "blue", b=SECRET % "correct-horse")
    out, err = checkout.plan("--base-ref", "HEAD", "--exit-code", code=4)
    assert "- data.colour: red\n" in out
    assert "+ data.colour: blue\n" in out
    assert "motd" not in out
    assert "hunter2" not in out + err
    assert "correct-horse" not in out + err
    assert out.count("stringData.password: <secret ") == 2
    assert "stringData.user" not in out
    assert out.endswith("0 to create, 2 to update, 0 to prune, 0 unchanged\n")


def test_nothing_differs(checkout: Checkout) -> None:
    assert checkout.json("--base-ref", "HEAD", "--exit-code") == {
        "summary": {"create": 0, "update": 0, "prune": 0, "unchanged": 2, "hook": 0},
        "changes": [],
    }


@pytest.mark.parametrize(
    "spec", ["x", "[1]", "{template: 3}", "{template: {spec: {containers: x, volumes: [1, {configMap: y}]}}}",
             "{template: {spec: {containers: [{envFrom: [1, {secretRef: z}], env: [{valueFrom: 2}]}]}}}"],
)  # fmt: skip
def test_a_base_that_was_never_valid_is_compared_all_the_same(
    checkout: Checkout, spec: str
) -> None:
    web = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {spec}\n"
    checkout.write(a=SETTINGS % "red", web=web)
    checkout.git("add", "-A")
    checkout.git("commit", "-qm", "broken")
    checkout.write(a=SETTINGS % "red")
    out, _ = checkout.plan("--base-ref", "HEAD")
    assert "- Deployment default/web" in out
    assert "1 to prune" in out


def test_a_hook_is_told_with_what_it_runs_after(checkout: Checkout) -> None:
    checkout.write(a=SETTINGS % "blue", b=SECRET % "hunter2", c=JOB)
    found = checkout.json("--base-ref", "HEAD")
    assert [(c["action"], c["name"], c["stage"]) for c in found["changes"]] == [
        ("update", "settings", "PreSync"), ("hook", "migrate", "PreSync"),
    ]  # fmt: skip
    assert [a["object"] for a in found["changes"][1]["after"]] == ["ConfigMap/default/settings"]


def test_a_path_that_is_new_is_all_new_and_one_file_is_a_set(checkout: Checkout) -> None:
    (checkout.root / "more").mkdir()
    (checkout.root / "more" / "c.yaml").write_text(SETTINGS % "red")
    assert "1 to create" in checkout.plan("--base-ref", "HEAD", path="more")[0]
    checkout.write(a=SETTINGS % "green")
    assert (
        "0 to create, 1 to update, 0 to prune"
        in checkout.plan("--base-ref", "HEAD", path="deploy/a.yaml")[0]
    )


def test_another_directory_as_the_base(checkout: Checkout) -> None:
    (checkout.root / "old").mkdir()
    (checkout.root / "old" / "x.yaml").write_text(
        SETTINGS % "red" + "---\n" + SETTINGS.replace("settings", "gone") % "red"
    )
    out, _ = checkout.plan("--base-dir", str(checkout.root / "old"))
    assert "- ConfigMap default/gone" in out
    assert "1 to create, 0 to update, 1 to prune, 1 unchanged" in out


def test_without_a_daemon_everything_is_new_and_it_says_so(checkout: Checkout) -> None:
    out, err = checkout.plan()
    assert "2 to create" in out
    assert err == f"no daemon runs on {checkout.root / 'state'}: compared with nothing\n"


@pytest.mark.parametrize("ref", ["nope", "--output=/tmp/x", "HEAD~7", "a..b"])
def test_what_is_no_commit_is_said_and_never_taken_for_an_option(
    ref: str, checkout: Checkout
) -> None:
    _, err = checkout.plan(f"--base-ref={ref}", code=1)
    assert f"{ref} is no commit of {checkout.root}" in err


def test_outside_a_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(SETTINGS % "red")
    with pytest.raises(SystemExit) as done:
        main(["plan", str(tmp_path), "--base-ref", "HEAD"])
    assert done.value.code == 1
    assert "no git repository holds it" in capsys.readouterr().err


def test_what_is_wrong_is_3_with_its_place(checkout: Checkout) -> None:
    checkout.write(a="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndatta: {}\n")
    _, err = checkout.plan("--base-ref", "HEAD", code=3)
    assert "a.yaml:4:1: error: " in err


def test_a_circle_is_3_with_its_place(checkout: Checkout) -> None:
    def config(name: str, after: str) -> str:
        needs = f"{{reconciler.dev/depends-on: v1/ConfigMap/default/{after}}}"
        return (
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {needs}}}\n"
        )

    checkout.write(a=config("a", "b"), b=config("b", "a"))
    out, err = checkout.plan("--base-ref", "HEAD", code=3)
    told = (
        "ConfigMap/default/a → ConfigMap/default/b (depends-on) → ConfigMap/default/a (depends-on)"
    )
    assert told in out
    assert "a.yaml:1:1: error: each of these comes after the next, in a circle" in err


def test_markdown_for_a_pull_request(checkout: Checkout) -> None:
    checkout.write(a=SETTINGS % "'```<b>@everyone'", b=SECRET % "hunter2")
    out, _ = checkout.plan("--base-ref", "HEAD", "--format", "markdown")
    assert out == (
        "<!-- reconciler plan -->\n"
        "### Plan: 0 to create, 1 to update, 0 to prune, 1 unchanged\n\n"
        "| | object | why | after |\n|---|---|---|---|\n| | **wave 0** | | |\n"
        "| update | ConfigMap default/settings | 1 field differs |  |\n\n"
        "<details><summary>~ ConfigMap default/settings</summary>\n\n"
        "````diff\n- data.colour: red\n+ data.colour: ```<b>@everyone\n````\n\n</details>\n"
    )


def test_a_comment_that_would_be_too_long_says_what_it_leaves_out(checkout: Checkout) -> None:
    many = "\n---\n".join(
        SETTINGS.replace("settings", f"c{n}") % f"'{'x' * 150}'" for n in range(400)
    )
    before = "\n---\n".join(SETTINGS.replace("settings", f"c{n}") % "red" for n in range(400))
    (checkout.root / "old").mkdir()
    (checkout.root / "old" / "x.yaml").write_text(before)
    checkout.write(a=many)
    out, _ = checkout.plan("--base-dir", str(checkout.root / "old"), "--format", "markdown")
    assert len(out) <= 65_536
    assert "…and what differs in " in out


def test_both_bases_are_wrong_usage(checkout: Checkout) -> None:
    checkout.plan("--base-ref", "HEAD", "--base-dir", ".", code=2)


def test_a_text_of_several_lines_is_compared_line_by_line(checkout: Checkout) -> None:
    (checkout.root / "old").mkdir()
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  f: |\n    one\n    two\n    %s\n    four\n"
    (checkout.root / "old" / "x.yaml").write_text(text % "three")
    checkout.write(a=text % "drei")
    out, _ = checkout.plan("--base-dir", str(checkout.root / "old"))
    assert [line.strip("│└├─ ") for line in out.splitlines()[2:-1]] == [
        "@ data.f", "@ @@ -1,4 +1,4 @@", "one", "two", "- three", "+ drei", "four",
    ]  # fmt: skip
