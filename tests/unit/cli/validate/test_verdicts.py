"""What is kept from run to run changes nothing but the time: after every edit, after corruption, beside other runs."""

from __future__ import annotations

import concurrent.futures
import io
import os
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.cli.validate import blocks, making, records
from reconciler.cli.validate import cache as caching
from reconciler.cli.validate.cache import VerdictCache
from reconciler.cli.validate.check import check
from reconciler.cli.validate.load import Options, Read, read_path
from tests.unit.cli.line import reconciler

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reconciler.cli.validate.checked import Checked
    from reconciler.gitops.source import File

CONTENTS = {
    "sound": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {k: v}\n",
    "unknown": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndatum: {k: v}\n",
    "syntax": "apiVersion: v1\nkind: [ConfigMap\nmetadata: {name: %s}\n",
    "pod": "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  containers:\n"
    "    - {name: c, image: i, envFrom: [{configMapRef: {name: a}}]}\n"
    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: []}\n",
    "list": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, x: 1}\n",
    "definition": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    "metadata: {name: things.%s.io}\nspec:\n  group: a.io\n  scope: Namespaced\n"
    "  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}\n"
    "  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n"
    "        {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}\n",
    "custom": "apiVersion: a.io/v1\nkind: Thing\nmetadata: {name: %s}\nspec: {size: much}\n",
    "ignored": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
    "datum: {}  # reconciler: ignore=schema/unknown-field it is so\n",
    "template": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ %s }}}\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for path in folder.iterdir():
        path.unlink()
    for name, what in files.items():
        suffix = ".yaml.j2" if what == "template" else ".yaml"
        (folder / f"{name}{suffix}").write_text(CONTENTS[what] % name)


def looked(read: Sequence[Read], **options: object) -> Checked:
    return check(read, Options(), **options)._replace(judged=None)  # type: ignore[arg-type]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(sorted(CONTENTS))), max_size=4)
)
def test_after_every_edit_the_answer_is_that_of_a_first_look(
    tmp_path: Path, edits: list[dict[str, str]]
) -> None:
    folder, kept = tmp_path / "m", tmp_path / "kept"
    folder.mkdir(exist_ok=True)
    for files in edits:
        write(folder, files)
        read = [read_path(folder)]
        first = looked(read)
        assert looked(read, cache=VerdictCache(kept)) == first
        assert looked(read, cache=VerdictCache(kept)) == first
        assert looked(read, cache=VerdictCache(kept), whole=True) == first


@pytest.fixture
def manifests(tmp_path: Path) -> list[Read]:
    folder = tmp_path / "m"
    folder.mkdir()
    write(folder, {"a": "unknown", "b": "pod", "c": "syntax", "d": "list", "e": "sound"})
    return [read_path(folder)]


def test_a_second_run_looks_at_nothing(
    manifests: list[Read], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = VerdictCache(tmp_path / "kept")
    first = looked(manifests, cache=cache)
    monkeypatch.setattr("reconciler.gitops.render.reader.read", None)
    assert looked(manifests, cache=cache) == first


def test_one_changed_file_is_the_only_one_read(
    manifests: list[Read], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = VerdictCache(tmp_path / "kept")
    looked(manifests, cache=cache)
    (tmp_path / "m/e.yaml").write_text(CONTENTS["unknown"] % "e")
    seen: list[str] = []
    real = records.record

    def noted(files: Sequence[File], *rest: object) -> dict[str, records.FileRecord]:
        seen.extend(file.path for file in files)
        return real(files, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(records, "record", noted)
    read = [read_path(tmp_path / "m")]
    warm = looked(read, cache=cache)
    assert seen == ["e.yaml"]
    assert warm == looked(read)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_entry_counts_as_absent(
    manifests: list[Read], tmp_path: Path, damage: str
) -> None:
    kept = tmp_path / "kept"
    first = looked(manifests, cache=VerdictCache(kept))
    entries = list(kept.iterdir())
    assert len(entries) == 2
    for path in entries:
        data = path.read_bytes()
        middle = len(data) // 2
        path.write_bytes({
            "cut": data[:-7],
            "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "empty": b"",
            "foreign": b"\x80\x05" + data,
        }[damage])  # fmt: skip
    assert looked(manifests, cache=VerdictCache(kept)) == first
    assert looked(manifests, cache=VerdictCache(kept)) == first


def test_an_entry_can_build_nothing_but_plain_data() -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, ("true",)

    with pytest.raises(ValueError, match="not plain data"):
        caching.loads(pickle.dumps(Evil()))
    for value in (io.StringIO, VerdictCache, os.path.join):
        with pytest.raises(ValueError, match="not plain data"):
            caching.loads(pickle.dumps(value))


def test_other_options_and_names_are_other_entries(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    write(tmp_path / "m", {"b": "pod"})
    manifests = [read_path(tmp_path / "m")]
    cache = VerdictCache(tmp_path / "kept")
    with_references = looked(manifests, cache=cache)
    alone = check(manifests, Options(references=False), cache=cache)
    assert len(alone.findings) < len(with_references.findings)
    renamed = [one._replace(naming=one.naming._replace(given="elsewhere")) for one in manifests]
    assert {f.file.partition("/")[0] for f in looked(renamed, cache=cache).findings} == {
        "elsewhere"
    }


def test_a_values_file_elsewhere_decides_too(tmp_path: Path) -> None:
    folder, values = tmp_path / "m", tmp_path / "values.yaml"
    folder.mkdir()
    write(folder, {"a": "template"})
    cache = VerdictCache(tmp_path / "kept")
    options = Options(f'{{"templates": {{"values": ["{values}"]}}}}')
    values.write_text("a: Not_A_Name\n")
    assert check([read_path(folder)], options, cache=cache).findings
    values.write_text("a: name\n")
    assert not check([read_path(folder)], options, cache=cache).findings


def test_entries_are_their_owners_alone_and_not_too_many(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path / "kept")
    for number in range(caching.MOST_ENTRIES + 5):
        cache.put(f"set-{number}", number)
    entries = list((tmp_path / "kept").iterdir())
    assert len(entries) == caching.MOST_ENTRIES
    assert all(p.stat().st_mode & 0o077 == 0 for p in [*entries, tmp_path / "kept"])


def test_where_nothing_can_be_kept_nothing_fails(manifests: list[Read], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = VerdictCache(tmp_path / "file/kept")
    assert looked(manifests, cache=cache) == looked(manifests)


def test_several_processes_give_the_same_as_one(
    manifests: list[Read], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "FILES", 1)
    assert looked(manifests, jobs=3) == looked(manifests, jobs=1)


@pytest.mark.parametrize("form", ["text", "json", "sarif", "human"])
def test_whatever_is_known_and_held_and_however_many_look_the_bytes_are_the_same(
    tmp_path: Path, form: str
) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    write(folder, {f"{what}-{n}": what for n in range(20) for what in CONTENTS})

    def told(*options: str) -> str:
        state = str(tmp_path / "state")
        done = reconciler("--state-dir", state, "validate", str(folder), "--format", form, *options)
        assert done.exit_code == 3, done
        return done.stdout

    first = told("--no-cache", "--jobs", "1")
    assert told("--no-cache", "--jobs", "2") == first
    assert told("--jobs", "2") == first
    assert told() == first
    (folder / "sound-1.yaml").touch()
    assert told() == first
    (folder / "sound-1.yaml").write_text(CONTENTS["sound"] % "other")
    assert told("--jobs", "2") == told("--no-cache") == told()


def test_a_definition_that_is_known_already_still_says_what_its_kind_may_be(tmp_path: Path) -> None:
    folder, cache = tmp_path / "m", VerdictCache(tmp_path / "kept")
    folder.mkdir()
    write(folder, {"a": "definition"})
    assert not [f for f in looked([read_path(folder)], cache=cache).findings if f.line > 2]
    write(folder, {"a": "definition", "b": "custom"})
    found = looked([read_path(folder)], cache=cache).findings
    wrong = [(f.file, f.rule, f.line) for f in found if f.severity == "error"]
    assert wrong == [(str(folder / "b.yaml"), "schema/type", 4)]


def test_what_a_process_that_died_leaves_is_done(
    manifests: list[Read], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = looked(manifests, jobs=1)
    monkeypatch.setattr(blocks, "FILES", 1)
    monkeypatch.setattr(making, "dumps", None)  # in the children alone: they end in the middle
    assert looked(manifests, jobs=3) == first


def test_runs_beside_one_another_do_not_disturb(manifests: list[Read], tmp_path: Path) -> None:
    first = looked(manifests)
    kept = tmp_path / "kept"

    def run(number: int) -> bool:
        if number % 3 == 0:
            for path in kept.glob("*"):
                path.unlink(missing_ok=True)
        return looked(manifests, cache=VerdictCache(kept)) == first

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(24)))
