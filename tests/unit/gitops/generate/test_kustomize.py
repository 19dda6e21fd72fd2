"""Kustomize's own binary over a private copy of the source."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.gitops.generate import AgeKeys
from reconciler.gitops.source.scan import Scanner
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


@needs_kustomize
async def test_an_overlay_builds_on_folders_beside_it_in_the_same_checkout(tmp_path: Path) -> None:
    files = {
        "deploy/base/kustomization.yaml": "resources: [config.yaml]\ncomponents: [../parts/labels]\n",
        "deploy/base/config.yaml": CONFIG,
        "deploy/parts/labels/kustomization.yaml": (
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
            "labels: [{pairs: {team: shop}}]\n"
        ),
        "deploy/overlays/prod/kustomization.yaml": "resources: [../../base]\nnamePrefix: prod-\n",
        "deploy/unrelated/big.yaml": "x",
        ".git/HEAD": "ref: refs/heads/main\n",
    }
    tree = write(tmp_path / "s", files)
    source = Source(tree / "deploy/overlays/prod", tmp_path / "x")
    (found,) = await source.objects()
    assert found["metadata"]["name"] == "prod-a"
    assert found["metadata"]["labels"] == {"team": "shop"}
    first = source.snapshot()
    assert sorted(first.files) == [
        "../../base/config.yaml",
        "../../base/kustomization.yaml",
        "../../parts/labels/kustomization.yaml",
        "kustomization.yaml",
    ]
    assert source.snapshot() is first
    (tree / "deploy/base/config.yaml").write_text(CONFIG.replace("b}", "c}"))
    assert source.snapshot().revision != first.revision
    (found,) = await source.objects()
    assert found["data"] == {"a": "c"}


async def test_what_is_wrong_in_a_base_is_told_by_its_own_place(tmp_path: Path) -> None:
    files = {
        "base/kustomization.yaml": "namePrefix: a-\nresources:\n- gone.yaml\n",
        "prod/kustomization.yaml": "resources: [../base]\n",
        ".git/HEAD": "",
    }
    source = Source(write(tmp_path / "s", files) / "prod", tmp_path / "x", which=_true)
    assert await source.told() == [("kustomize/missing", "../base/kustomization.yaml", 3)]


@needs_kustomize
async def test_what_kustomize_says_of_a_base_names_it_as_the_overlay_does(tmp_path: Path) -> None:
    files = {
        "base/kustomization.yaml": "resources: [a.yaml, b.yaml]\n",
        "base/a.yaml": CONFIG,
        "base/b.yaml": CONFIG,
        "prod/kustomization.yaml": "resources: [../base]\n",
        ".git/HEAD": "",
    }
    tree = write(tmp_path / "s", files)
    built = await Source(tree / "prod", tmp_path / "x").build()
    (finding,) = built.rendered.findings
    assert "'../base'" in finding.message
    assert str(tmp_path) not in finding.message
    assert "/_/" not in finding.message


@pytest.mark.parametrize("entry", ["..", "../..", "../prod", "../link", "../../outside", "../.git"])
async def test_nothing_outside_of_the_checkout_or_above_the_source_is_read(
    entry: str, tmp_path: Path
) -> None:
    outside = "resources: []\n"
    files = {
        "outside/kustomization.yaml": outside,
        "s/prod/kustomization.yaml": f"resources: [{entry}]\n",
        "s/kustomization.yaml": outside,
        "s/.git/kustomization.yaml": outside,
    }
    write(tmp_path, files)
    (tmp_path / "s/link").symlink_to(tmp_path / "outside")
    source = Source(tmp_path / "s/prod", tmp_path / "x", which=_true)
    assert [rule for rule, _, _ in await source.told()] == ["kustomize/outside"]
    assert set(source.snapshot().files) == {"kustomization.yaml"}


async def test_without_a_checkout_a_folder_is_named_up_to_which_it_may_lead(tmp_path: Path) -> None:
    files = {"base/kustomization.yaml": "", "prod/kustomization.yaml": "resources: [../base]\n"}
    tree = write(tmp_path / "s", files)
    assert set(Scanner(tree / "prod").scan().files) == {"kustomization.yaml"}
    found = Scanner(tree / "prod", within=tree).scan()
    assert set(found.files) == {"../base/kustomization.yaml", "kustomization.yaml"}
