"""The GitHub Action: its steps, run as GitHub runs them, with a ``gh`` that answers as GitHub does."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[4]
ACTION = ROOT / ".github/actions/validate/action.yml"
WORKFLOWS = sorted((ROOT / ".github").rglob("*.yml"))

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "git", "gzip", "base64")),
    reason="bash, git, gzip or base64 is not installed",
)

#: Answers as api.github.com would: comments are kept in a file; a fork's token may only read.
GH = """\
#!{python}
import json, os, pathlib, sys
state = pathlib.Path(os.environ["GH_STATE"])
arguments = sys.argv[1:]
kept = json.loads(state.read_text()) if state.exists() else {{"calls": [], "comments": []}}
kept["calls"].append(arguments)
method = arguments[arguments.index("--method") + 1] if "--method" in arguments else "GET"
url = next(a for a in arguments if a.startswith("repos/"))
fields = dict(a.split("=", 1) for a in arguments if "=" in a and not a.startswith("."))
fields = {{k: pathlib.Path(v[1:]).read_text() if v.startswith("@") else v for k, v in fields.items()}}
code = 0
if method != "GET" and os.environ.get("GH_FORK"):
    print("gh: Resource not accessible by integration (HTTP 403)", file=sys.stderr)
    code = 1
elif method == "GET":
    marker = arguments[-1].split('startswith("')[1].split('")')[0]
    print("\\n".join(str(n) for n, c in enumerate(kept["comments"]) if c.startswith(marker)))
elif method == "POST" and url.endswith("/comments"):
    kept["comments"].append(fields["body"])
elif method == "PATCH":
    kept["comments"][int(url.rpartition("/")[2])] = fields["body"]
else:
    kept["sarif"] = fields
state.write_text(json.dumps(kept))
sys.exit(code)
"""

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: %s}\n"


def steps() -> dict[str, dict[str, Any]]:
    action = yaml.safe_load(ACTION.read_text())
    return {s.get("id", "last"): s for s in action["runs"]["steps"] if "run" in s}


class Runner(NamedTuple):
    """A machine that runs steps: the checkout that they run in, and what they leave."""

    home: Path
    checkout: Path
    environment: dict[str, str]

    def run(self, step: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {**self.environment, **environment}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps()[step]["run"]],
            cwd=self.checkout, env=given, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def outputs(self) -> dict[str, str]:
        lines = (self.home / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def summary(self) -> str:
        path = self.home / "summary"
        return path.read_text() if path.exists() else ""

    def github(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "github").read_text())
        return found

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.checkout, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    tools, checkout = tmp_path / "tools", tmp_path / "work"
    binaries = tmp_path / "temp/reconciler/venv/bin"
    for folder in (tools, checkout, binaries):
        folder.mkdir(parents=True)
    (tools / "gh").write_text(GH.format(python=sys.executable))
    (tools / "gh").chmod(0o755)
    (binaries / "python").symlink_to(sys.executable)
    command = f'#!/bin/sh\nexec "{sys.executable}" -P -m reconciler "$@"\n'
    (binaries / "reconciler").write_text(command)
    (binaries / "reconciler").chmod(0o755)
    made = Runner(tmp_path, checkout, {
        "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(tmp_path / "temp"), "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "GITHUB_REPOSITORY": "o/r",
        "GITHUB_SHA": "a" * 40, "GITHUB_REF": "refs/pull/7/merge", "GH_STATE": str(tmp_path / "github"),
        "PATHS": "deploy\n", "VALUES": "", "FAIL_ON": "error", "BASE": "", "NUMBER": "7",
    })  # fmt: skip
    (checkout / "deploy").mkdir()
    (checkout / "deploy/settings.yaml").write_text(CONFIG % "red")
    made.git("init", "-q", "-b", "main")
    made.git("add", ".")
    made.git("commit", "-qm", "first")
    return made


def test_sound_manifests_pass(runner: Runner) -> None:
    done = runner.run("validate")
    assert done.returncode == 0, done.stderr
    outputs = runner.outputs()
    assert (outputs["errors"], outputs["warnings"], outputs["code"]) == ("0", "0", "0")
    assert "✅" in runner.summary()


def test_a_pull_request_brings_no_program_of_its_own_into_the_steps(runner: Runner) -> None:
    # Python's -m and - look for modules in the folder that they run in: the checkout of whoever sent the pull request.
    ran = runner.home / "ran"
    for name in ("json", "venv", "subprocess", "types"):
        (runner.checkout / f"{name}.py").write_text(f"open({str(ran)!r}, 'w')\n")
    assert runner.run("validate").returncode == 0
    assert runner.outputs()["errors"] == "0"
    assert not ran.exists()
    for step in steps().values():
        for line in step["run"].splitlines():
            if re.search(r'(PYTHON|bin/python)" ', line):
                assert re.search(r'(PYTHON|bin/python)" -I ', line), line


def test_mistakes_are_annotated_and_fail_the_job_at_the_end(runner: Runner) -> None:
    (runner.checkout / "deploy/wrong.yaml").write_text(CONFIG % "red" + "datum: {}\n")
    done = runner.run("validate")
    assert done.returncode == 0, done.stderr  # what follows still runs
    assert "::error file=deploy/wrong.yaml,line=5,col=1," in done.stdout
    outputs = runner.outputs()
    assert (outputs["errors"], outputs["code"]) == ("2", "3")
    assert "deploy/wrong.yaml:5:1" in runner.summary()
    assert runner.run("last", ERRORS="2", WARNINGS="0").returncode == 1


def test_no_answer_is_no_success(runner: Runner) -> None:
    assert runner.run("validate", PATHS="nowhere\n").returncode == 1
    assert runner.run("validate", FAIL_ON="never").returncode == 2


def test_inputs_are_words_and_never_commands(runner: Runner) -> None:
    """A title, a path or a value of a pull request cannot run anything."""
    evil = f"$(touch {runner.home}/evil); `touch {runner.home}/evil`"
    for name in ("PATHS", "VALUES", "FAIL_ON", "BASE"):
        for step in ("validate", "plan"):
            runner.run(step, **{name: evil})
    runner.run("validate", PATHS="--help\n")
    assert not (runner.home / "evil").exists()
    for one in steps().values():
        assert "${{" not in one["run"]


def test_only_what_a_pull_request_changes_is_told(runner: Runner) -> None:
    (runner.checkout / "deploy/old.yaml").write_text(
        CONFIG.replace("settings", "old") % "x" + "datum: {}\n"
    )
    runner.git("add", ".")
    runner.git("commit", "-qm", "second")
    base = runner.git("rev-parse", "HEAD")
    done = runner.run("validate", BASE=base)
    assert done.returncode == 0, done.stderr
    assert runner.outputs()["errors"] == "0"


@pytest.mark.parametrize("behind", [False, True])
def test_a_shallow_checkout_learns_where_it_left_the_base(runner: Runner, behind: bool) -> None:
    """As actions/checkout leaves it: one commit, that of the merge; ``behind``: the base went on meanwhile."""
    wrong = CONFIG + "datum: {}\n"
    (runner.checkout / "deploy/old.yaml").write_text(wrong.replace("settings", "old") % "x")
    runner.git("add", ".")
    runner.git("commit", "-qm", "old")
    base = runner.git("rev-parse", "HEAD")
    runner.git("checkout", "-qb", "change")
    (runner.checkout / "deploy/new.yaml").write_text(wrong.replace("settings", "new") % "x")
    runner.git("add", ".")
    runner.git("commit", "-qm", "new")
    runner.git("checkout", "-q", "main")
    runner.git("commit", "-q", "--allow-empty", "-m", "meanwhile")
    base = base if behind else runner.git("rev-parse", "HEAD")
    runner.git("merge", "-q", "--no-ff", "-m", "merge", "change")
    runner.git("config", "uploadpack.allowAnySHA1InWant", "true")
    shallow = runner.home / "shallow"
    runner.git("clone", "-q", "--depth=1", runner.checkout.as_uri(), str(shallow))
    done = runner._replace(checkout=shallow).run("validate", BASE=base)
    assert done.returncode == 0, done.stderr
    assert runner.outputs()["errors"] == "1"
    assert "deploy/new.yaml" in runner.summary()
    assert "deploy/old.yaml" not in runner.summary()


def test_findings_go_to_code_scanning(runner: Runner) -> None:
    runner.run("validate")
    done = runner.run("sarif", GH_TOKEN="t")
    assert done.returncode == 0, done.stderr
    sent = runner.github()["sarif"]
    assert (sent["commit_sha"], sent["ref"]) == ("a" * 40, "refs/pull/7/merge")
    log = json.loads(gzip.decompress(base64.b64decode(sent["sarif"])))
    assert log["version"] == "2.1.0"


def test_the_plan_is_one_comment_kept_up_to_date(runner: Runner) -> None:
    base = runner.git("rev-parse", "HEAD")
    for colour in ("green", "blue"):
        (runner.checkout / "deploy/settings.yaml").write_text(CONFIG % colour)
        done = runner.run("plan", BASE=base)
        assert done.returncode == 0, done.stderr
        (comment,) = runner.github()["comments"]
        assert comment.startswith("<!-- reconciler plan: ")
        assert colour in comment
        assert "ConfigMap" in comment
    assert "blue" in runner.summary()
    runner.run("plan", BASE=base, PATHS="deploy/settings.yaml\n")
    assert len(runner.github()["comments"]) == 2  # another set of paths has its own


def test_a_forks_pull_request_has_its_answers_in_the_summary(runner: Runner) -> None:
    base = runner.git("rev-parse", "HEAD")
    (runner.checkout / "deploy/settings.yaml").write_text(CONFIG % "green")
    runner.run("validate")
    for step in ("sarif", "plan"):
        done = runner.run(step, BASE=base, GH_FORK="1")
        assert done.returncode == 0, done.stderr
        assert "::notice title=reconciler::" in done.stdout
    assert "green" in runner.summary()


def test_where_the_manifests_are_invalid_the_comment_says_so(runner: Runner) -> None:
    base = runner.git("rev-parse", "HEAD")
    (runner.checkout / "deploy/settings.yaml").write_text(CONFIG % "red" + "datum: {}\n")
    done = runner.run("plan", BASE=base)
    assert done.returncode == 0, done.stderr
    (comment,) = runner.github()["comments"]
    assert "invalid" in comment


def test_a_plan_too_long_for_a_comment_stands_in_the_summary(runner: Runner) -> None:
    paths = [runner.checkout / f"deploy{number}" for number in range(3)]
    for letter in "xy":
        for folder in paths:
            folder.mkdir(exist_ok=True)
            data = "".join(f"  key-{n}: {letter * 400}\n" for n in range(60))
            (folder / "big.yaml").write_text(
                (CONFIG % "red").replace("{colour: red}\n", "\n" + data)
            )
        if letter == "x":
            runner.git("add", ".")
            runner.git("commit", "-qm", "second")
    base = runner.git("rev-parse", "HEAD")
    done = runner.run("plan", BASE=base, PATHS="".join(f"{p.name}\n" for p in paths))
    assert done.returncode == 0, done.stderr
    (comment,) = runner.github()["comments"]
    assert len(comment) < 65_536
    assert len(runner.summary()) > 65_536


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    for line in path.read_text().splitlines():
        used = re.search(r"\buses: (\S+)(.*)", line)
        if used and not used[1].startswith("./"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used[1]), line
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", used[2]), line


def test_the_pre_commit_hook_names_a_command_that_exists() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, *arguments = hook["entry"].split() + hook["args"]
    assert program == "reconciler"
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments, str(ROOT / "examples/hello/hello.yaml")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(hook["files"], "deploy/a.yaml.j2")
