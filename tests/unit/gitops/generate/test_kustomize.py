"""Kustomize's own binary over a private copy of the source."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.gitops.generate import AgeKeys
from tests.unit.gitops.generate.building import Source, write

needs_kustomize = pytest.mark.skipif(
    shutil.which("kustomize") is None and shutil.which("kubectl") is None,
    reason="neither kustomize nor kubectl is installed",
)

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"
TREE = {
    "base/kustomization.yaml": "resources: [config.yaml]\n",
    "base/config.yaml": CONFIG,
    "over/kustomization.yaml": (
        "resources: [../base]\nnamePrefix: prod-\nnamespace: shop\n"
        "configMapGenerator: [{name: files, files: [app.conf], envs: [.env]}]\n"
    ),
    "over/app.conf": "colour=red\n",
    "over/.env": "A=1\n",
}


@needs_kustomize
async def test_an_overlay_is_built_from_files_of_every_name(tmp_path: Path) -> None:
    source = Source(write(tmp_path / "s", TREE | {"kustomization.yaml": "resources: [over]\n"}), tmp_path / "x")  # fmt: skip
    found = {o["metadata"]["name"].partition("-files")[0]: o for o in await source.objects()}
    config, generated = found["prod-a"], found["prod"]
    assert config["metadata"] == {"name": "prod-a", "namespace": "shop"}
    assert generated["data"] == {"app.conf": "colour=red\n", "A": "1"}
    assert list(source.scratch.iterdir()) == []


@needs_kustomize
async def test_a_path_names_what_is_built_and_the_same_source_is_built_once(tmp_path: Path) -> None:
    tree = write(tmp_path / "s", TREE | {"kustomization.yaml": "resources: [base]\n"})
    source = Source(tree, tmp_path / "x")
    first = await source.build({"kustomize": {"path": "over"}})
    again = await source.build({"kustomize": {"path": "over"}})
    assert len(first.rendered.documents) == 2
    assert again is first
    (tree / "base/config.yaml").write_text(CONFIG.replace("b}", "c}"))
    changed = await source.build({"kustomize": {"path": "over"}})
    assert {d.object["data"].get("a") for d in changed.rendered.documents} == {"c", None}


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("../../other", "kustomize/outside"),
        ("/etc", "kustomize/outside"),
        ("missing.yaml", "kustomize/missing"),
        ("https://example.org/a.yaml", "kustomize/remote"),
        ("github.com/a/b?ref=v1", "kustomize/remote"),
        ("git@example.org:a/b", "kustomize/remote"),
        ("ssh://git@example.org/a", "kustomize/remote"),
        ("git::file:///tmp/a", "kustomize/remote"),
    ],
)
async def test_nothing_leads_out_of_the_source(entry: str, rule: str, tmp_path: Path) -> None:
    text = f"namePrefix: x-\nReSources:\n- {entry}\n"
    write(tmp_path / "other", {"kustomization.yaml": "resources: []\n"})
    source = Source(write(tmp_path / "s/t", {"kustomization.yaml": text}), tmp_path / "x", which=_true)  # fmt: skip
    assert await source.told() == [(rule, "kustomization.yaml", 3)]


def _true(name: str) -> str:
    del name
    return "/bin/true"


@needs_kustomize
async def test_a_file_beside_the_kustomization_is_not_read_from_outside(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hunter2")
    text = "configMapGenerator: [{name: a, files: [../../../../../../../../../../../../etc/hostname]}]\n"
    source = Source(write(tmp_path / "s", {"kustomization.yaml": text}), tmp_path / "x")
    built = await source.build()
    assert [f.rule for f in built.rendered.findings] == ["kustomize/failed"]
    assert not built.rendered.documents


@needs_kustomize
async def test_what_kustomize_refuses_is_told_without_our_paths(tmp_path: Path) -> None:
    files = {"kustomization.yaml": "resources: [a.yaml, b.yaml]\n", "a.yaml": CONFIG, "b.yaml": CONFIG}  # fmt: skip
    built = await Source(write(tmp_path / "s", files), tmp_path / "x").build()
    (finding,) = built.rendered.findings
    assert (finding.rule, finding.file) == ("kustomize/failed", "kustomization.yaml")
    assert "already registered" in finding.message
    assert str(tmp_path) not in finding.message


async def test_a_machine_without_kustomize_says_so_and_what_to_do(tmp_path: Path) -> None:
    tree = write(tmp_path / "s", {"kustomization.yaml": "resources: []\n"})
    source = Source(tree, tmp_path / "x", which=lambda _: None)
    (finding,) = (await source.build()).rendered.findings
    assert (finding.rule, finding.severity) == ("kustomize/not-installed", "error")
    assert "install kustomize" in finding.hint


@needs_kustomize
async def test_an_encrypted_secret_that_kustomize_renames_is_decrypted_and_its_file_verified(
    tmp_path: Path,
) -> None:
    sops = Path(sys.executable).with_name("sops")
    pyrage = pytest.importorskip("pyrage", reason="age needs pyrage")
    if not sops.exists():
        pytest.skip("the sops binary is not installed")
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/a.txt").touch(mode=0o600)
    (tmp_path / "keys/a.txt").write_text(str(identity))
    plain = tmp_path / "plain.yaml"
    plain.write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {p: hunter2}\n"
    )
    text = subprocess.run(
        [sops, "--disable-version-check", "-e", "--age", str(identity.to_public()),
         "--encrypted-regex", "^stringData$", plain],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    files = {"kustomization.yaml": "namePrefix: x-\nresources: [s.yaml]\n", "s.yaml": text}
    tree = write(tmp_path / "s", files)
    source = Source(tree, tmp_path / "x", identities=AgeKeys(tmp_path / "keys", {}))
    (found,) = await source.objects()
    assert (found["metadata"]["name"], found["stringData"]) == ("x-db", {"p": "hunter2"})
    (tree / "s.yaml").write_text(text.replace("name: db", "name: admin"))
    assert [(r, f) for r, f, _ in await source.told()] == [("sops/mac", "s.yaml")]
