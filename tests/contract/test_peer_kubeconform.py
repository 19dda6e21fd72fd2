"""The verdicts of ``validate`` over kubeconform's acceptance cases: all agree, but for what is left out and why.

The cases lie beside the checkout (``../shared/peer``); without them the test says so and skips.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.line import reconciler

PEER = Path(__file__).parents[3] / "shared" / "peer" / "kubeconform_cases.json"

pytestmark = pytest.mark.skipif(
    not PEER.is_file(), reason="the cases of other projects are not here"
)

KNOWN: dict[str, Any] = (
    json.loads(PEER.read_text()) if PEER.is_file() else {"cases": [], "fixtures": {}}
)

#: kubeconform's option -> ours; nothing for what is done always, or needs no word.
OPTIONS = {
    "-summary": (), "-verbose": (), "-strict": (), "-": (), "-h": ("--help",), "-xyz": ("--xyz",),
    "-ignore-missing-schemas": ("--ignore-missing-schemas",), "-skip": ("--skip",), "-reject": ("--reject",),
    "-kubernetes-version": ("--kubernetes-version",), "-output": ("--format",),
}  # fmt: skip

#: What is no verdict over manifests, or is done in another way here.
LEFT_OUT = {
    "ignore filename patterns": "files are named on the command line, or ignored by a comment with a reason",
    "bad -kubernetes-version 1.25": "1.25 is as good as 1.25.0: both name the same schemas",
    "100,000 resources in one file": "measured by benchmarks/validate.py",
    "help": "the words of the help are each project's own",
}


def cases() -> list[Any]:
    return [
        pytest.param(c, id=c["name"])
        for c in KNOWN["cases"]
        if c["name"] not in LEFT_OUT and c["exit"] is not None
    ]


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kubeconform")
    for name, text in KNOWN["fixtures"].items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def verdict(case: dict[str, Any], fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(fixtures)
    options = [word for given in case["args"] for word in OPTIONS.get(given, (given,))]
    if not any(given == "-strict" for given in case["args"]):
        options += ["--rule", "schema/unknown-field=off"]
    for location in case["extra_locations"] or ():
        options += ["--schema-location", location]
    if case["extra_locations"]:
        options += ["--schema-location", "default"]
    if "--format" not in options:
        options += ["--format", "json"]
    if case["stdin"]:
        given = io.BytesIO((fixtures / case["files"][0]).read_bytes())
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(given))
        return reconciler("validate", *options, "-")
    return reconciler("validate", "--no-references", "--no-cache", *options, *case["files"])


@pytest.mark.parametrize("case", cases())
def test_the_verdict_is_that_of_kubeconform(
    case: dict[str, Any], fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = verdict(case, fixtures, monkeypatch)
    assert (done.exit_code == 0) == (case["exit"] == 0), done
    if case["exit"] == 0 and case["summary"] and done.stdout.startswith("{"):
        assert json.loads(done.stdout)["summary"]["documents"] == case["summary"]["resources"]


@pytest.mark.parametrize(
    ("file", "twice"),
    [
        ("duplicates", True),
        ("duplicates-with-namespace", True),
        ("duplicates-non-namespaced", True),
        ("same-object-different-namespace", False),
    ],
)
def test_an_object_that_stands_twice_is_told(fixtures: Path, file: str, twice: bool) -> None:
    """kubeconform says nothing of it."""
    done = reconciler("validate", "--format", "json", str(fixtures / f"fixtures/{file}.yaml"))
    rules = {f["rule"] for f in json.loads(done.stdout)["findings"]}
    assert ("reference/duplicate-object" in rules) == twice
