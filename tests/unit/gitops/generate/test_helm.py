"""Helm's own binary where it is installed; everywhere a stand-in that shows what Helm would be told."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import RenderError
from reconciler.gitops.generate import command
from tests.unit.gitops.generate.building import Source, write

if TYPE_CHECKING:
    from collections.abc import Callable

needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not installed")

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": "colour: red\nsize: 1\n",
    "templates/_helpers.tpl": '{{- define "who" -}}{{ .Release.Name }}{{- end -}}\n',
    "templates/config.yaml": (
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include "who" . }}\n'
        "data: {colour: {{ .Values.colour }}, size: {{ .Values.size | quote }}, namespace: {{ .Release.Namespace }}}\n"
    ),
    "prod.yaml": "colour: green\nsize: 2\n",
}  # fmt: skip

STAND_IN = """\
import json, os, sys
given = sys.stdin.read()
told = {"argv": sys.argv[1:], "stdin": given, "env": sorted(os.environ), "path": os.environ["PATH"],
        "cwd": sorted(os.listdir(".")), "source": sorted(os.listdir("source"))}
print("---")
print("# Source: web/templates/a.yaml")
print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": told}))
print("---")
print("# Source: web/templates/b.yaml")
print("kind: Broken")
"""


def stand_in(tmp_path: Path, text: str) -> Callable[[str], str | None]:
    """Return a ``which`` that finds this script as helm."""
    file = tmp_path / "bin/helm"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(0o755)
    return lambda name: str(file) if name == "helm" else None


async def test_what_helm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    tree = write(tmp_path / "s", CHART)
    source = Source(tree, tmp_path / "x", which=stand_in(tmp_path, STAND_IN))
    given = {"valueFiles": ["prod.yaml"], "values": {"password": "hunter2"}, "includeCRDs": True, "kubeVersion": "1.31"}  # fmt: skip
    built = await source.build({"helm": given})
    (document,) = built.rendered.documents
    data: Any = document.object["data"]
    argv = [a.rpartition("/source")[2].strip("/") if "/source" in a else a for a in data["argv"]]
    assert argv == [
        "template", "web", "", "--namespace=shop", "--skip-tests", "prod.yaml", "--values=-",
        "--include-crds", "--kube-version=1.31",
    ]  # fmt: skip
    assert data["stdin"] == '{"password": "hunter2"}'
    assert data["cwd"] == ["source"]
    assert data["source"] == ["Chart.yaml", "prod.yaml", "templates", "values.yaml"]
    assert "AWS_SECRET_ACCESS_KEY" not in data["env"]
    assert data["path"] == "/nonexistent"


async def test_findings_name_the_template(tmp_path: Path) -> None:
    tree = write(tmp_path / "s", {f"charts/web/{n}": t for n, t in CHART.items()})
    source = Source(tree, tmp_path / "x", which=stand_in(tmp_path, STAND_IN))
    # No manifest at the root says what this is: the source does.
    built = await source.builder.build(
        _everything(tree), {"helm": {"path": "charts/web"}}, name="web", namespace="shop"
    )
    assert [d.origin.file for d in built.rendered.documents] == ["charts/web/templates/a.yaml"]
    assert [(f.rule, f.file) for f in built.rendered.findings] == [
        ("schema/missing-type", "charts/web/templates/b.yaml")
    ]


def _everything(root: Path) -> Any:
    from reconciler.gitops.source.scan import Scanner

    return Scanner(root, everything=True).scan()


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("Error: template: web/templates/a.yaml:3:7: executing x: nil pointer", ("templates/a.yaml", 3, 8)),
        ("Error: parse error at (web/templates/a.yaml:3): bad", ("templates/a.yaml", 3, 1)),
        ("Error: YAML parse error on web/templates/a.yaml: error converting YAML to JSON: yaml: line 5: x", ("templates/a.yaml", 5, 1)),
        ("Error: found in Chart.yaml, but missing in charts/ directory: redis", ("Chart.yaml", 1, 1)),
    ],
)  # fmt: skip
async def test_what_helm_refuses_is_told_where(
    said: str, place: tuple[str, int, int], tmp_path: Path
) -> None:
    which = stand_in(tmp_path, f"import sys\nsys.exit({said!r})\n")
    built = await Source(write(tmp_path / "s", CHART), tmp_path / "x", which=which).build()
    (finding,) = built.rendered.findings
    assert finding.rule == "helm/failed"
    assert (finding.file, finding.line, finding.column) == place


async def test_a_chart_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SECONDS", 0.3)
    left = tmp_path / "left"
    text = f"import os, time\nos.fork()\nopen({str(left)!r}, 'a').write(f'{{os.getpid()}} ')\ntime.sleep(600)\n"
    source = Source(write(tmp_path / "s", CHART), tmp_path / "x", which=stand_in(tmp_path, text))
    with pytest.raises(RenderError, match=r"longer than 0\.3 s"):
        await source.build()
    for pid in left.read_text().split():
        stat = Path(f"/proc/{pid}/stat")
        async with asyncio.timeout(20):  # a process that was killed has yet to run to its end
            while stat.exists() and ") Z " not in stat.read_text():
                await asyncio.sleep(0.01)
    assert list(source.scratch.iterdir()) == []


async def test_a_chart_that_writes_without_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LARGEST_OUTPUT", 1024 * 1024)
    which = stand_in(tmp_path, "while True: print('x' * 1000)\n")
    with pytest.raises(RenderError, match="more than 1 MiB"):
        await Source(write(tmp_path / "s", CHART), tmp_path / "x", which=which).build()


async def test_a_machine_without_helm_says_so_and_what_to_do(tmp_path: Path) -> None:
    source = Source(write(tmp_path / "s", CHART), tmp_path / "x", which=lambda _: None)
    assert await source.told() == [("helm/not-installed", "Chart.yaml", 1)]
    # Nothing is kept of that: installed later, it is found.
    source.builder._which = stand_in(tmp_path, STAND_IN)
    assert (await source.told())[0][0] == "schema/missing-type"


@needs_helm
async def test_the_real_helm(tmp_path: Path) -> None:
    source = Source(write(tmp_path / "s", CHART), tmp_path / "x")
    given = {"valueFiles": ["prod.yaml"], "values": {"size": 3}}
    (found,) = await source.objects({"helm": given})
    assert found["data"] == {"colour": "green", "size": "3", "namespace": "shop"}
