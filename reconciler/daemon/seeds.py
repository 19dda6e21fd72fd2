"""The objects that ``applications`` of the configuration names: Applications, and what their sources need.

They are read when the daemon starts and when the configuration is read again: checked as a whole, then applied. One that
is not named any more stays, with all that it made, until somebody deletes it: a slip in a file must not end what runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.api.objects import Object, copy
from reconciler.errors import ConfigError, SourceError
from reconciler.gitops.render import render
from reconciler.gitops.source.scan import Scanner
from reconciler.gitops.validate import validate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.client import Client
    from reconciler.gitops.finding import Finding

#: Kinds that may stand there, in the order in which they are applied.
KINDS = ("Namespace", "ConfigMap", "Secret", "Application")
MANAGER = "reconciler-config"
#: So many mistakes are told at once.
TOLD = 5


def read(paths: Iterable[str]) -> list[Object]:
    """Return the objects below some paths, in the order in which they are applied.

    Raises ``ConfigError`` that names file:line:column of what is wrong.
    """
    found: list[Object] = []
    for path in map(Path, paths):
        found += _read(path)
    return sorted(found, key=lambda o: KINDS.index(o["kind"]))


async def apply(client: Client, objects: Iterable[Object]) -> None:
    """Apply what ``read`` returned; raises ``ApiError``."""
    for obj in objects:
        await client.apply(obj, field_manager=MANAGER, force=True)


def _read(path: Path) -> list[Object]:
    try:
        snapshot = Scanner(path).scan()
    except SourceError as error:
        raise ConfigError(f"applications: {error}") from error
    rendered = render(snapshot)
    findings = [*rendered.findings, *validate(rendered.documents, references=False)]
    wrong = [_said(path, f) for f in findings if f.severity == "error"]
    objects = []
    for document in rendered.documents:
        obj = copy(document.object)
        file = path / document.origin.file if path.is_dir() else path
        if obj.get("kind") not in KINDS:
            wrong.append(
                f"{file}:{document.origin.line}:1: {obj.get('kind')} cannot stand here: "
                f"expected one of {', '.join(KINDS)}; other objects belong into an Application's source"
            )
        elif obj["kind"] == "Application":
            _from_here(obj, file.parent)
        objects.append(obj)
    if wrong:
        raise ConfigError("; ".join(wrong[:TOLD]))
    return objects


def _said(path: Path, finding: Finding) -> str:
    return finding._replace(file=str(path / finding.file) if path.is_dir() else str(path)).text()


def _from_here(app: Object, folder: Path) -> None:
    """Make the paths of an Application's source relative to the file that it stands in."""
    source = (app.get("spec") or {}).get("source") or {}
    directory = source.get("directory")
    if directory and directory.get("path"):
        directory["path"] = str((folder / directory["path"]).absolute())
        if directory.get("root"):
            directory["root"] = str((folder / directory["root"]).absolute())
    git = source.get("git")
    if git and str(git.get("url") or "").startswith(("./", "../")):
        git["url"] = (folder / git["url"]).resolve().as_uri()
    templates = source.get("templates")
    if templates and templates.get("values") and directory:
        # Of a repository they are files in it; of a directory they may lie beside the Application, too.
        templates["values"] = [
            str(here.absolute()) if (here := folder / v).exists() else v
            for v in templates["values"]
        ]
