"""A report in every format: what its readers rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result

from reconciler.cli.validate import command, formats
from reconciler.cli.validate.findings import ordered
from reconciler.cli.validate.report import Report
from reconciler.gitops.finding import Finding, ObjectName
from reconciler.gitops.ignores import Ignored

if TYPE_CHECKING:
    from pathlib import Path

NASTY = "50% of\r\n<b>&\x1b[31m|`x`, a:b\x00"
WEB = ObjectName("apps/v1", "Deployment", "shop", "web")
FINDINGS = (
    Finding("schema/type", "error", NASTY, "a,b:c/web #1.yaml", 2, 3, object=WEB, path="/spec/x",
            expected="an integer", got="a string", hint="quote it", end_line=2, end_column=7),
    Finding("runtime/not-honoured", "warning", "no effect", "a,b:c/web #1.yaml", 3, 1),
    Finding("schema/unknown-kind", "info", "not checked", "t.yaml.j2", 7, 1, rendered_line=9, rendered_column=2),
)  # fmt: skip
TEXTS = {"a,b:c/web #1.yaml": "a:\n\t  wrong\nb: 1\n", "t.yaml.j2": ""}
REPORT = Report(
    ("a,b:c/web #1.yaml", "sound.yaml", "t.yaml.j2"), 4, ordered(FINDINGS),
    (Ignored(FINDINGS[1]._replace(line=9), "we know"),), lambda file: TEXTS[file],
)  # fmt: skip


def written(form: str, report: Report = REPORT) -> list[str]:
    return [formats.plain(line) for line in formats.lines(form, report)]


def test_json_lines_are_the_findings_and_the_counts() -> None:
    *findings, last = map(json.loads, written("ndjson"))
    assert findings == [f.to_json() for f in FINDINGS]
    assert last["summary"] == json.loads("\n".join(written("json")))["summary"]
    assert last["summary"]["ignored"] == 1


def test_json_in_pieces_is_the_json_of_the_whole() -> None:
    for report in (REPORT, REPORT._replace(findings=ordered([]))):
        whole = {"summary": report.summary, "findings": [f.to_json() for f in report.findings]}
        assert "\n".join(written("json", report)) == json.dumps(whole, indent=2)
        log = "\n".join(written("sarif", report))
        assert log == json.dumps(json.loads(log), indent=2)


def test_a_finding_about_what_is_no_file_stands_behind_the_files() -> None:
    told = ordered(f._replace(file=name) for f in FINDINGS[:1] for name in ("a", "sound.yaml", "z"))
    files = REPORT._replace(findings=told).by_file()
    assert [(file, len(found)) for file, found in files] == [
        ("a,b:c/web #1.yaml", 0), ("sound.yaml", 1), ("t.yaml.j2", 0), ("a", 1), ("z", 1),
    ]  # fmt: skip


def test_a_finding_as_json_says_everything_that_is_known() -> None:
    assert FINDINGS[0].to_json() == {
        "rule": "schema/type", "severity": "error", "message": NASTY, "file": "a,b:c/web #1.yaml",
        "line": 2, "column": 3, "endLine": 2, "endColumn": 7, "document": 0,
        "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
        "path": "/spec/x", "expected": "an integer", "got": "a string", "hint": "quote it",
        "docs": "https://github.com/reconciler/reconciler/blob/main/docs/validation-rules.md#schematype",
    }  # fmt: skip
    assert FINDINGS[2].to_json()["rendered"] == {"line": 9, "column": 2}


def test_github_takes_every_property_and_message_as_it_is_written() -> None:
    """https://docs.github.com/actions/reference/workflow-commands-for-github-actions."""
    first, second, third, counts = written("github")
    assert first.startswith(
        "::error file=a%2Cb%3Ac/web #1.yaml,line=2,col=3,endLine=2,endColumn=7,title=schema/type::50%25 of"
    )
    assert first.endswith("%0Aquote it")
    assert (
        second
        == "::warning file=a%2Cb%3Ac/web #1.yaml,line=3,col=1,title=runtime/not-honoured::no effect"
    )
    assert third.startswith("::notice file=t.yaml.j2,line=7,")
    assert "line 9 of what the template renders to" in third
    assert counts == "3 files, 4 documents: 1 error, 1 warning, 1 ignored"
    assert not any(c in "\r\n\x1b\x00" for c in f"{first}{second}{third}")


def test_junit_counts_each_error_and_each_sound_file() -> None:
    root = ET.fromstring("\n".join(written("junit")))
    assert root.attrib | {"name": ""} == {"name": "", "tests": "3", "failures": "1", "errors": "0"}
    suites = {s.attrib["name"]: s for s in root}
    assert set(suites) == set(REPORT.files)
    for suite in suites.values():
        cases = suite.findall("testcase")
        assert len(cases) == int(suite.attrib["tests"])
        assert len(suite.findall("testcase/failure")) == int(suite.attrib["failures"])
    failure = suites["a,b:c/web #1.yaml"].find("testcase/failure")
    assert failure is not None
    assert failure.attrib["type"] == "schema/type"
    assert "50% of" in failure.attrib["message"]
    assert "expected: an integer" in str(failure.text)
    out = suites["a,b:c/web #1.yaml"].find("system-out")
    assert out is not None
    assert "no effect" in str(out.text)


def test_tap_has_a_point_a_file_and_yaml_below_it() -> None:
    version, plan, *rest = written("tap")
    assert (version, plan) == ("TAP version 13", "1..3")
    points = [line for line in rest if not line.startswith(" ")]
    assert points == ["not ok 1 - a,b:c/web \\#1.yaml", "ok 2 - sound.yaml", "ok 3 - t.yaml.j2"]
    block = "\n".join(rest[rest.index("  ---") + 1 : rest.index("  ...")])
    assert yaml.safe_load(block)["findings"][0]["message"] == NASTY


#: The part of the SARIF 2.1.0 schema that our log uses; what the standard does not name is refused.
_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
_COUNT = {"type": "integer", "minimum": 1}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "required": required, "additionalProperties": False, "properties": properties,
    }  # fmt: skip


SARIF = _object(
    ["version", "runs"],
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={"type": "array", "items": _object(
        ["tool"],
        columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        tool=_object(["driver"], driver=_object(
            ["name"],
            name={"type": "string"},
            semanticVersion={"type": "string"},
            informationUri={"type": "string", "format": "uri"},
            rules={"type": "array", "uniqueItems": True, "items": _object(
                ["id"], id={"type": "string"}, shortDescription=_TEXT, helpUri={"type": "string"})},
        )),
        results={"type": "array", "items": _object(
            ["message"],
            ruleId={"type": "string"},
            ruleIndex={"type": "integer", "minimum": -1},
            level={"enum": ["none", "note", "warning", "error"]},
            message=_TEXT,
            properties={"type": "object"},
            partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
            suppressions={"type": "array", "uniqueItems": True, "items": _object(
                ["kind"], kind={"enum": ["inSource", "external"]}, justification={"type": "string"})},
            locations={"type": "array", "items": _object(
                [],
                physicalLocation=_object(
                    [],
                    artifactLocation=_object([], uri={"type": "string", "pattern": "^[^ #\\x00-\\x20]*$"}),
                    region=_object([], startLine=_COUNT, startColumn=_COUNT, endLine=_COUNT, endColumn=_COUNT),
                ),
                logicalLocations={"type": "array", "uniqueItems": True, "items": _object(
                    [], name={"type": "string"}, fullyQualifiedName={"type": "string"})},
            )},
        )},
    )},
)  # fmt: skip


def test_sarif_keeps_to_its_schema() -> None:
    log = json.loads("\n".join(written("sarif")))
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert [r["level"] for r in run["results"]] == ["error", "warning", "note", "warning"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == (
        "a%2Cb%3Ac/web%20%231.yaml"
    )
    assert run["results"][3]["suppressions"] == [{"kind": "inSource", "justification": "we know"}]


def test_fingerprints_stay_while_lines_move() -> None:
    def prints(findings: tuple[Finding, ...]) -> list[Any]:
        log = json.loads("\n".join(written("sarif", REPORT._replace(findings=ordered(findings)))))
        return [r["partialFingerprints"] for r in log["runs"][0]["results"]]

    moved = tuple(f._replace(line=f.line + 5, end_line=f.line + 5) for f in FINDINGS)
    assert prints(moved) == prints(FINDINGS)
    assert len({str(p) for p in prints(FINDINGS)}) == 3


def test_a_person_sees_the_line_and_a_caret_under_the_culprit() -> None:
    lines = written("human")
    assert lines[0].startswith("error: 50% of\\r\\n<b>&\\x1b[31m|`x`, a:b\\x00 [schema/type]")
    assert lines[1] == " --> a,b:c/web #1.yaml:2:3  Deployment web"
    assert lines[2:6] == ["  |", "1 | a:", "2 |    wrong", "  |   ^^^^"]
    assert "  = expected: an integer" in lines
    assert "  = hint: quote it" in lines
    assert "  = rendered: line 9, column 2 of what the template comes to" in lines
    assert lines[-1] == "✗ 3 files, 4 documents: 1 error, 1 warning, 1 ignored"


def test_the_caret_stands_right_under_wide_letters_and_in_long_lines() -> None:
    text = "名前: " + "x" * 300 + " culprit"
    column = text.index("culprit") + 1
    finding = Finding("a/b", "error", "m", "f", 1, column, end_line=1, end_column=column + 7)
    report = REPORT._replace(findings=ordered([finding]), text=lambda _: text)
    shown, caret = written("human", report)[3:5]
    assert shown[caret.index("^") :] == "culprit"
    finding = finding._replace(column=5, end_column=8)
    shown, caret = written("human", report._replace(findings=ordered([finding])))[3:5]
    assert caret == "  |       ^^^"
    assert shown.startswith("1 | 名前: xxx")


def test_a_secrets_value_is_not_shown() -> None:
    secret = ObjectName("v1", "Secret", "", "s")
    finding = Finding(
        "a/b", "error", "m", "f", 2, 5, object=secret, path="/data/k", end_line=2, end_column=11
    )
    report = REPORT._replace(findings=ordered([finding]), text=lambda _: "data:\n  k: hunter2\n")
    assert "hunter" not in "\n".join(written("human", report))


def test_markdown_keeps_strangers_words_as_words() -> None:
    text = "\n".join(written("markdown"))
    assert "<b>" not in text
    row = next(line for line in text.splitlines() if "50%" in line)
    assert row.count("|") == 5
    assert "&#124;" in row
    many = REPORT._replace(
        findings=ordered(f._replace(line=n) for f in FINDINGS for n in range(1000))
    )
    assert len("\n".join(written("markdown", many))) < 1024 * 1024


def run(tmp_path: Path, *arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(command, [str(tmp_path), *arguments])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndatum: {}\n"
    )
    (tmp_path / "below").mkdir()
    (tmp_path / "below/kustomization.yaml").write_text("resources: []\n")
    return tmp_path


def test_several_formats_at_once_each_to_its_own_file(broken: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    done = run(
        broken, "--format", "github", "--format", f"sarif={tmp_path / 'out.sarif'}",
        "--format", f"junit={tmp_path / 'out.xml'}", GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    assert done.exit_code == 3, done.output
    assert "::error file=" in done.output
    jsonschema.validate(json.loads((tmp_path / "out.sarif").read_text()), SARIF)
    assert ET.parse(tmp_path / "out.xml").getroot().attrib["failures"] == "1"
    assert "schema/unknown-field" in summary.read_text()


def test_quiet_shows_errors_only_and_nothing_when_there_is_none(broken: Path) -> None:
    done = run(broken, "--quiet")
    assert [line.split(": ")[1] for line in done.output.splitlines()] == ["error"]
    (broken / "a.yaml").unlink()
    assert run(broken, "-q").output == ""


def test_warnings_fail_where_asked(broken: Path) -> None:
    (broken / "a.yaml").unlink()
    assert run(broken).exit_code == 0
    assert run(broken, "--fail-on", "warning").exit_code == 3


def test_an_unknown_format_is_wrong_usage(broken: Path) -> None:
    done = run(broken, "--format", "xml")
    assert done.exit_code == 2
    assert "junit" in done.output


def test_output_is_the_same_every_time(broken: Path) -> None:
    for form in formats.FORMATS:
        assert run(broken, "--format", form).output == run(broken, "--format", form).output
