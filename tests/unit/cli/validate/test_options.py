"""What is checked, and against what, by options and by the reconciler.yaml beside the manifests."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.line import Done, reconciler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THING = "apiVersion: acme.io/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: %s}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
#: Of a draft before 2020-12, as catalogues of schemas have them.
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "definitions": {"size": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
    "properties": {
        "spec": {
            "additionalProperties": False,
            "properties": {
                "size": {"$ref": "#/definitions/size"},
                "every": {"type": "string", "format": "duration"},
            },
        }
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / ".git").mkdir()
    return folder


def run(folder: Path, *options: str) -> Done:
    state = ["--state-dir", str(folder.parent / "state")]
    return reconciler(*state, "validate", str(folder), "--format", "json", *options)


def told(folder: Path, *options: str) -> list[str]:
    done = run(folder, *options)
    assert done.exit_code in (0, 3), done
    return [f["rule"] for f in json.loads(done.stdout)["findings"]]


def test_kinds_are_skipped_and_rejected(folder: Path) -> None:
    (folder / "a.yaml").write_text(CONFIG_MAP + "datum: {}\n")
    assert told(folder) == ["schema/unknown-field"]
    assert told(folder, "--skip", "ConfigMap") == []
    assert told(folder, "--skip", "v1/ConfigMap") == []
    assert told(folder, "--skip", "v2/ConfigMap") == ["schema/unknown-field"]
    assert told(folder, "--reject", "ConfigMap") == ["schema/rejected"]


def test_kinds_without_a_schema_are_noted_required_or_ignored(folder: Path) -> None:
    (folder / "a.yaml").write_text(THING % 1)
    assert told(folder) == ["schema/unknown-kind"]
    assert told(folder, "--require-schemas") == ["schema/missing"]
    assert told(folder, "--ignore-missing-schemas") == []
    assert run(folder, "--ignore-missing-schemas", "--require-schemas").exit_code == 2


def test_a_removed_version_is_one_only_where_it_is_removed(folder: Path) -> None:
    (folder / "a.yaml").write_text(
        "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a}\nspec: {}\n"
    )
    assert "deprecation/removed" in told(folder)
    assert "deprecation/removed" not in told(folder, "--kubernetes-version", "1.24")
    assert "1.29 or 1.29.3" in run(folder, "--kubernetes-version", "new").stderr


@pytest.mark.parametrize(
    ("location", "file"),
    [
        ("{}/{{{{ .ResourceKind }}}}_{{{{.ResourceAPIVersion}}}}.json", "thing_v1.json"),
        ("{}/{{{{.Group}}}}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json", "acme.io/thing-acme-v1.json"),
        ("{}", "v1.30.0-standalone-strict/thing-acme-v1.json"),
        ("{}", "thing-acme-v1.json"),
    ],
)  # fmt: skip
def test_schemas_are_found_by_location(folder: Path, location: str, file: str) -> None:
    (folder / "a.yaml").write_text(THING % 0 + "---\n" + CONFIG_MAP)
    path = folder.parent / "schemas" / file
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(SCHEMA))
    options = [
        "--kubernetes-version", "1.30", "--require-schemas",
        "--schema-location", location.format(path.parents[len(file.split("/")) - 1]),
    ]  # fmt: skip
    assert sorted(told(folder, *options)) == ["schema/minimum", "schema/missing"]
    assert told(folder, *options, "--schema-location", "default") == ["schema/minimum"]
    # What is kept from the earlier runs holds no longer once the schema says something else.
    path.write_text(json.dumps({}))
    assert told(folder, *options, "--schema-location", "default") == ["runtime/kind-not-run"]


def test_a_duration_is_one_as_kubernetes_writes_it(folder: Path) -> None:
    (folder / "a.yaml").write_text(THING % "1, every: 1h30m")
    (folder / "thing.schema").write_text("")
    (folder.parent / "thing-acme-v1.json").write_text(json.dumps(SCHEMA))
    assert "schema/format" not in told(folder, "--schema-location", str(folder.parent))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "expected an object"),
        ("{", "cannot be used"),
        ('{"properties": {"a": {"$ref": "_definitions.json#/a"}}}', "stands alone"),
        ('{"properties": {"a": {"$ref": "file:///etc/passwd"}}}', "stands alone"),
        ('{"type": "nonsense"}', "cannot be used"),
        ('{"a":' * 5000, "cannot be used"),
    ],
)
def test_a_schema_that_cannot_be_used_is_told_once_and_is_no_traceback(
    folder: Path, text: str, why: str
) -> None:
    (folder / "a.yaml").write_text(THING % 1)
    (folder.parent / "thing-acme-v1.json").write_text(text)
    done = run(folder, "--schema-location", str(folder.parent))
    assert done.exit_code == 1
    assert why in done.stderr
    assert "thing-acme-v1.json" in done.stderr


def test_a_kind_names_no_file_outside_of_the_location(folder: Path) -> None:
    (folder / "a.yaml").write_text(
        "apiVersion: acme.io/v1\nkind: ../../secret\nmetadata: {name: a}\n"
    )
    (folder.parent / "secret.json").write_text("[]")
    (folder.parent / "deep" / "er").mkdir(parents=True)
    location = f"{folder.parent}/deep/er/{{{{.ResourceKind}}}}.json"
    assert run(folder, "--schema-location", location).exit_code in (0, 3)


def test_an_unknown_word_of_a_location_names_the_nearest(folder: Path) -> None:
    done = run(folder, "--schema-location", "{{.ResourceKnd}}.json")
    assert done.exit_code == 2
    assert 'did you mean "{{.ResourceKind}}"?' in done.stderr


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            known = self.path == "/thing-acme-v1.json"
            self.send_response(200 if known else 500 if "broken" in self.path else 404)
            self.end_headers()
            if known:
                self.wfile.write(json.dumps(SCHEMA).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as served:
        served.asked = asked  # type: ignore[attr-defined]
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_schemas_are_fetched_once_and_kept(folder: Path, server: HTTPServer) -> None:
    (folder / "a.yaml").write_text(THING % 0 + "---\n" + CONFIG_MAP)
    base = f"http://127.0.0.1:{server.server_port}"
    at = "/{{.ResourceKind}}{{.KindSuffix}}.json"
    options = ["--schema-location", base + at, "--schema-location", "default"]
    for _ in range(3):
        assert told(folder, *options) == ["schema/minimum"]
    assert sorted(server.asked) == ["/configmap-v1.json", "/thing-acme-v1.json"]  # type: ignore[attr-defined]
    done = run(folder, "--schema-location", f"{base}/broken{at}")
    assert done.exit_code == 1
    assert "500" in done.stderr


def test_the_file_beside_the_manifests_says_what_is_checked(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.yaml").write_text(THING % 0 + "---\n" + CONFIG_MAP + "datum: {}\n")
    (folder / ".schemas").mkdir()
    (folder / ".schemas" / "thing-acme-v1.json").write_text(json.dumps(SCHEMA))
    (folder / "reconciler.yaml").write_text(
        "validate:\n  rules: {schema/unknown-field: off}\n  schemaLocations: [default, .schemas]\n"
    )
    assert told(folder / "sub") == ["schema/minimum"]
    assert told(folder, "--rule", "schema/unknown-field=warning") == [
        "schema/minimum", "schema/unknown-field",
    ]  # fmt: skip
    other = folder.parent / "other.yaml"
    other.write_text("validate: {skip: [Thing]}\n")
    assert told(folder / "sub", "--config", str(other)) == ["schema/unknown-field"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("validate: {rules: {schema/unknown-feld: off}}", 'did you mean "schema/unknown-field"?'),
        ("validate: {rules: {schema/unknown-field: loud}}", "reconciler.yaml:1:"),
        ("validate: {kubernetesVersion: 1.30}", "quote it"),
        ("validate: {schemaLocations: [/etc]}", "lies outside"),
        ("validate: {schemaLocations: [../..]}", "lies outside"),
        ("validate: {schemaLocations: ['https://example.com']}", "only files and directories"),
        ("validate: {rule: {}}", 'did you mean "rules"?'),
    ],
)
def test_a_mistake_in_the_file_is_told(folder: Path, text: str, why: str) -> None:
    (folder / "reconciler.yaml").write_text(text)
    done = run(folder)
    assert done.exit_code == 1
    assert why in done.stderr
    assert "reconciler.yaml" in done.stderr


def test_a_manifest_may_have_the_name_of_the_configuration(folder: Path) -> None:
    (folder / "base").mkdir()
    (folder / "base" / "reconciler.yaml").write_text(CONFIG_MAP + "datum: {}\n")
    (folder / ".git").rmdir()
    (folder / "reconciler.yaml").write_text("{}\n")
    assert told(folder) == ["schema/unknown-field"]


def test_outside_of_a_checkout_only_the_directory_itself_is_asked(folder: Path) -> None:
    """What somebody else put above, in /tmp or a home, says nothing."""
    (folder / "sub").mkdir()
    (folder / "sub" / "a.yaml").write_text(CONFIG_MAP + "datum: {}\n")
    (folder / "reconciler.yaml").write_text("validate: {skip: [ConfigMap]}\n")
    assert told(folder / "sub") == []
    (folder / ".git").rmdir()
    assert told(folder / "sub") == ["schema/unknown-field"]
    assert told(folder) == []


def test_kinds_may_be_listed_with_commas_and_in_any_case(folder: Path) -> None:
    (folder / "a.yaml").write_text(CONFIG_MAP + "datum: {}\n---\n" + THING % 1)
    assert told(folder, "--skip", "Thing,ConfigMap") == []
    assert told(folder, "--skip", "thing, v1/configmap") == []
    assert told(folder, "--reject", "thing,configmap") == ["schema/rejected"] * 2


@pytest.mark.parametrize("word", ["apps/v1/", "a/b/c/Thing", "/Thing", "two words"])
def test_what_is_no_kind_is_told(folder: Path, word: str) -> None:
    done = run(folder, "--reject", word)
    assert done.exit_code == 2
    assert f'"{word}" is no kind: expected one as Secret or apps/v1/Deployment' in done.stderr


@pytest.mark.parametrize(
    "location", ["nowhere", "nowhere/{{.ResourceKind}}.json", "nowhere.json"]
)  # fmt: skip
def test_a_location_that_is_not_there_is_told(folder: Path, location: str) -> None:
    (folder / "a.yaml").write_text(CONFIG_MAP)
    done = run(folder, "--schema-location", str(folder / location))
    assert done.exit_code == 2
    assert "there is no " in done.stderr
    assert "nowhere" in done.stderr


def test_a_kind_of_kubernetes_that_nobody_has_a_schema_of_is_told_too(folder: Path) -> None:
    (folder / "a.yaml").write_text(CONFIG_MAP + "datum: {}\n")
    assert told(folder, "--schema-location", str(folder)) == ["schema/unknown-kind"]
    (folder / "a.yaml").write_text(
        "apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}\nspecification: {}\n"
    )
    assert "schema/unknown-kind" in told(folder, "--kubernetes-version", "1.15")


def test_an_output_file_that_cannot_be_written_is_told_in_one_line(folder: Path) -> None:
    done = run(folder, "--format", f"json={folder}/nowhere/out.json")
    assert done.exit_code == 1
    assert done.stderr == (
        f"error: cannot write {folder}/nowhere/out.json: No such file or directory\n"
    )


def test_quiet_shows_what_fails(folder: Path) -> None:
    (folder / "a.yaml").write_text(CONFIG_MAP + "# reconciler: ignore=syntax/yaml\ndata: {}\n")
    assert told(folder, "--quiet") == []
    assert told(folder, "--quiet", "--fail-on", "warning") == ["ignore/no-reason", "ignore/unused"]


def test_an_empty_path_is_no_directory() -> None:
    done = reconciler("validate", "")
    assert done.exit_code == 2
    assert "a path is empty" in done.stderr


def test_rules_of_text_files_and_comments_are_switched_too(folder: Path) -> None:
    (folder / "a.yaml").write_text(CONFIG_MAP + "data: {a: x, a: z}  # reconciler: ignore=a/b\n")
    assert told(folder) == ["syntax/duplicate-key", "ignore/no-reason", "ignore/unused"]
    switches = ("--rule", "syntax/duplicate-key=off", "--rule", "ignore/*=error")
    done = run(folder, *switches)
    assert [f["severity"] for f in json.loads(done.stdout)["findings"]] == ["error", "error"]
    assert done.exit_code == 3


def test_a_version_that_the_target_does_not_serve_yet_is_an_error(folder: Path) -> None:
    spec = "spec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}}}\n"
    (folder / "a.yaml").write_text(
        f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: a}}\n{spec}"
    )
    assert told(folder, "--kubernetes-version", "1.20") == ["schema/unknown-version"]
    assert told(folder, "--kubernetes-version", "1.21") == []


def test_a_key_that_yaml_reads_as_a_boolean_is_told_as_it_is_written(folder: Path) -> None:
    (folder / "a.yaml").write_text(CONFIG_MAP + "n: {}\n")
    (found,) = json.loads(run(folder).stdout)["findings"]
    assert found["hint"] == 'n is a boolean to YAML: write "n" in quotes'


@pytest.mark.parametrize(
    ("data", "rule", "hint"),
    [
        (CONFIG_MAP.encode("utf-16"), "syntax/encoding", "save it as UTF-8: this is UTF-16"),
        (b'{"kind": "A"}\n{"kind": "B"}\n', "syntax/yaml", "put a line of --- between two documents"),
    ],
)  # fmt: skip
def test_what_to_do_about_text_that_is_none(
    folder: Path, data: bytes, rule: str, hint: str
) -> None:
    (folder / "a.yaml").write_bytes(data)
    found = json.loads(run(folder).stdout)["findings"]
    assert (found[-1]["rule"], found[-1]["hint"]) == (rule, hint)


def test_the_column_of_a_wrong_byte_counts_letters(folder: Path) -> None:
    (folder / "a.yaml").write_bytes(CONFIG_MAP.encode() + "日本: ".encode() + b"\xe9\n")
    (found,) = json.loads(run(folder).stdout)["findings"]
    assert (found["line"], found["column"]) == (4, 5)
