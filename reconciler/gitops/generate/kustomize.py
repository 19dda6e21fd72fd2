"""Kustomize through its own binary (``kustomize``, or the one in ``kubectl``), over a private copy of the source."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from reconciler.gitops.finding import Finding
from reconciler.gitops.generate.command import run
from reconciler.gitops.generate.workspace import ABOVE, root_of
from reconciler.gitops.render import reader
from reconciler.gitops.source import bases
from reconciler.gitops.source.selection import KUSTOMIZATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.gitops.generate.tools import Kustomize
    from reconciler.gitops.source import File

NOT_INSTALLED = Finding(
    "kustomize/not-installed", "error",
    "this source is a kustomization, and neither kustomize nor kubectl is installed here", "",
    hint="install kustomize (or kubectl) on this machine and see that it is on the daemon's PATH",
)  # fmt: skip


def command(which: Callable[[str], str | None]) -> tuple[str, ...] | None:
    """Return how kustomize is called on this machine; None where it is not there."""
    own = which("kustomize")
    if own:
        return (own, "build")
    kubectl = which("kubectl")
    return (kubectl, "kustomize") if kubectl else None


async def build(
    tool: Kustomize, files: Mapping[str, File], argv: tuple[str, ...], home: Path
) -> tuple[dict[str, bytes], list[Finding]]:
    """Return what a kustomization builds to, as one text, or what is wrong."""
    file = _kustomization(tool.path, files)
    findings = list(_escapes(files))
    if findings:
        return {}, findings
    root = root_of(files.values())
    where = str(home / root / tool.path)
    ran = await run((*argv, "--load-restrictor=LoadRestrictionsRootOnly", where), home=home)
    if ran.code:
        told = _named_from_root(ran.complaint, f"{home}/", root).strip()
        told = re.sub(r"\s+", " ", told.removeprefix("error: ").removeprefix("Error: "))
        line = re.search(r"yaml: line (\d+)", told)
        found = Finding("kustomize/failed", "error", told[:1000], file, int(line[1]) if line else 1)
        return {}, [found]
    name = posixpath.join(tool.path, "kustomize-build.yaml")
    return {name: ran.output}, []


def _named_from_root(text: str, home: str, root: str) -> str:
    """Return what a tool said, with paths as the source's kustomizations name them."""
    levels = root.count("/")

    def named(match: re.Match[str]) -> str:
        down = match[1].count("/") if levels else 0
        return "../" * (levels - down)

    text = re.sub(rf"{re.escape(home)}source/((?:{ABOVE}/){{0,{levels}}})", named, text)
    return text.replace(home.rstrip("/"), "")


def _kustomization(path: str, files: Mapping[str, File]) -> str:
    names = [posixpath.join(path, k) for k in KUSTOMIZATIONS]
    return next((n for n in names if n in files), names[0])


def _escapes(files: Mapping[str, File]) -> Iterator[Finding]:
    """Yield every entry that leads out of the source, to another host, or to nothing."""
    folders = {""}
    for path in files:
        folder = posixpath.dirname(path)
        while folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    for path, file in files.items():
        if posixpath.basename(path) not in KUSTOMIZATIONS:
            continue
        text = file.data.decode("utf-8-sig", "replace")
        documents, wrong = reader.read(text, path)
        yield from wrong
        places = reader.places(text)
        for document in documents[:1]:
            for where, entry in bases.entries(document.value):
                problem = _problem(entry, posixpath.dirname(path), files, folders)
                if problem:
                    place = places.get(where)
                    span = place.culprit(key=False) if place is not None else None
                    line, column = (span.line, span.column) if span is not None else (1, 1)
                    yield Finding(problem[0], "error", problem[1], path, line, column, hint=problem[2])  # fmt: skip


def _problem(
    entry: str, folder: str, files: Mapping[str, File], folders: set[str]
) -> tuple[str, str, str] | None:
    if bases.is_remote(entry):
        told = f"{entry} is on another host: nothing is fetched while rendering"
        return "kustomize/remote", told, "keep a copy of it in the source"
    target = posixpath.normpath(posixpath.join(folder, entry))
    target = "" if target == "." else target
    if target.startswith("/") or bases.is_above(target):
        return "kustomize/outside", f"{entry} leads out of the source", "name a folder beside it"
    if target in files or target in folders:
        return None
    if target.startswith("../") and not _is_below(target, folders):
        told = f"{entry} is no folder beside the source, or it lies outside of the repository"
        hint = (
            "without a git repository: run it from the folder that holds both, or name that in "
            "the Application's spec.source.directory.root"
        )
        return "kustomize/outside", told, hint
    return "kustomize/missing", f"there is no {target} in the source", ""


def _is_below(path: str, folders: set[str]) -> bool:
    """Whether a path beside the source lies in a folder that was read."""
    while not bases.is_above(path := posixpath.dirname(path)):
        if path in folders:
            return True
    return False
