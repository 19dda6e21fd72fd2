"""Helm through its own binary: ``helm template`` of a chart that lies in the source, without a cluster or a network."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING

from reconciler.gitops.finding import Finding
from reconciler.gitops.generate.command import run
from reconciler.gitops.source.selection import CHART

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.gitops.generate.tools import Helm

NOT_INSTALLED = Finding(
    "helm/not-installed", "error",
    "this source is a Helm chart, and helm is not installed here", "",
    hint="install helm on this machine and see that it is on the daemon's PATH",
)  # fmt: skip

_SOURCE = re.compile(r"^---\n# Source: (.+)\n", re.MULTILINE)
#: ``template: web/templates/a.yaml:3:5: executing …``, ``parse error at (web/templates/a.yaml:3): …``
_PLACE = re.compile(r"([\w./-]+\.[\w]+):(\d+)(?::(\d+))?")
_FILE = re.compile(r"on ([\w./-]+\.ya?ml)\b(?:.*\byaml: line (\d+))?")


def argv_of(tool: Helm, helm: str, home: Path) -> tuple[str, ...]:
    """Return the argument list. Values are read from stdin: they are in no process list and no file."""
    root = home / "source"
    return (
        helm, "template", tool.release, str(root / tool.path), f"--namespace={tool.namespace}",
        "--skip-tests",
        *(f"--values={root / f}" for f in tool.value_files),
        *(("--values=-",) if tool.values else ()),
        *(("--include-crds",) if tool.include_crds else ()),
        *((f"--kube-version={tool.kube_version}",) if tool.kube_version else ()),
        *(f"--api-versions={v}" for v in tool.api_versions),
    )  # fmt: skip


async def build(tool: Helm, helm: str, home: Path) -> tuple[dict[str, bytes], list[Finding]]:
    """Return what a chart renders to, by the template that it comes from, or what is wrong."""
    given = json.dumps(tool.values).encode() if tool.values else b""
    ran = await run(argv_of(tool, helm, home), home=home, given=given)
    if ran.code:
        return {}, [_failure(ran.complaint, tool.path, home)]
    return _by_template(ran.output.decode("utf-8", "replace"), tool.path), []


def _by_template(output: str, path: str) -> dict[str, bytes]:
    """Take Helm's output apart: each document names its template, so that findings can."""
    parts = _SOURCE.split(output)
    texts: dict[str, list[str]] = {}
    if parts[0].strip():
        texts[posixpath.join(path, "helm-template.yaml")] = [parts[0]]
    for source, text in zip(parts[1::2], parts[2::2], strict=True):
        texts.setdefault(_in_source(source, path), []).append(text)
    return {name: "---\n".join(given).encode() for name, given in texts.items()}


def _in_source(named: str, path: str) -> str:
    """Helm names a template from the chart's name: name it from the source's root."""
    return posixpath.join(path, named.strip().partition("/")[2] or named.strip())


def _failure(complaint: str, path: str, home: Path) -> Finding:
    told = complaint.replace(f"{home}/source/", "").replace(str(home), "")
    kept = [line for line in told.splitlines() if not line.startswith(("WARNING", "Use --debug"))]
    told = re.sub(r"\s+", " ", " ".join(kept)).strip().removeprefix("Error: ")
    file, line, column = posixpath.join(path, CHART), 1, 1
    place, whole = _PLACE.search(told), _FILE.search(told)
    if place and "/" in place[1]:
        file, line, column = _in_source(place[1], path), int(place[2]), int(place[3] or 0) + 1
    elif whole:
        file, line = _in_source(whole[1], path), int(whole[2] or 1)
    return Finding("helm/failed", "error", told[:1000] or "helm failed without a word", file, line, column)  # fmt: skip
