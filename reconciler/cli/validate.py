"""``reconciler validate``: parse, render, schema, rules, references."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.source import Snapshot


def snapshot_of(path: Path) -> Snapshot:
    """Read a directory or file once. Raises ``SourceError``."""
    from reconciler.gitops.source.scan import Scanner

    return Scanner(path).scan()


def named_from(path: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings whose files are named as the user would from here."""
    if not path.is_dir():
        return [f._replace(file=str(path)) for f in findings]
    return [f._replace(file=str(path / f.file)) for f in findings]


def values_from(files: Iterable[str], sets: Mapping[str, Any]) -> dict[str, Any]:
    from reconciler.gitops.engine.desired import values_of

    templates = {"values": list(files), "set": dict(sets)}
    return values_of({"spec": {"source": {"templates": templates}}})


def validate_path(
    path: Path, values: Iterable[str] = (), sets: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Return what is wrong with everything at a path. Raises ``SourceError``."""
    loaded = _load(path, values_from(values, sets or {}))
    return _check([loaded], references=True)


class _Loaded(NamedTuple):
    """What lies at one path, named as from here."""

    files: int
    documents: list[Document]
    findings: list[Finding]


def _load(path: Path, values: Mapping[str, Any]) -> _Loaded:
    snapshot = _stdin() if str(path) == "-" else snapshot_of(path)
    return _rendered(snapshot, path, values)


def _rendered(snapshot: Snapshot, path: Path, values: Mapping[str, Any]) -> _Loaded:
    from reconciler.gitops.render import render

    rendered = render(snapshot, values=values)
    directory = path.is_dir()
    documents = []
    for document in rendered.documents:
        file = str(path / document.origin.file) if directory else str(path)
        documents.append(document._replace(origin=document.origin._replace(file=file)))
    return _Loaded(len(snapshot.files), documents, named_from(path, rendered.findings))


def _stdin() -> Snapshot:
    from hashlib import sha256

    from reconciler.gitops.source import File, Snapshot

    data = sys.stdin.buffer.read()
    return Snapshot("", {"-": File("-", sha256(data).hexdigest(), data)})


def _check(loaded: Iterable[_Loaded], *, references: bool) -> list[Finding]:
    """Check several paths as one set: what one of them names may lie in another."""
    from reconciler.gitops.validate import validate
    from reconciler.runtime.process.fields import HONOURED

    documents = [d for one in loaded for d in one.documents]
    found = validate(documents, references=references, honoured=HONOURED)
    return [*(f for one in loaded for f in one.findings), *found]


@click.command(short_help="Check manifests without running them.")
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--no-references", is_flag=True, help="Check each file by itself.")
@click.option(
    "--values",
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML file of values for *.j2 files; may be repeated.",
)
def command(
    *,
    paths: tuple[str, ...],
    form: str,
    strict: bool,
    no_references: bool,
    values: tuple[Path, ...],
) -> None:
    """Check manifests: syntax, schema, rules, references. Exit code 3 when something is wrong; `-` reads stdin."""
    given = values_from(map(str, values), {})
    loaded = [_load(Path(text), given) for text in dict.fromkeys(paths)]
    findings = _check(loaded, references=not no_references)
    if strict:
        findings = [
            f._replace(severity="error") if f.severity == "warning" else f for f in findings
        ]
    findings.sort(key=lambda f: (f.file, f.line, f.column, f.rule))
    counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning")}
    summary = {
        "files": sum(one.files for one in loaded),
        "documents": sum(len(one.documents) for one in loaded),
        "errors": counts["error"],
        "warnings": counts["warning"],
        "skipped": sum(f.rule == "source/kustomization" for f in findings),
    }
    if form == "json":
        click.echo(
            json.dumps({"summary": summary, "findings": [f.to_json() for f in findings]}, indent=2)
        )
    else:
        for finding in findings:
            click.echo(finding.text())
        said = [_counted(summary[w], w) for w in ("files", "documents", "errors", "warnings")]
        click.echo(f"{said[0]}, {said[1]}: {said[2]}, {said[3]}")
    if counts["error"]:
        raise SystemExit(3)


def _counted(number: int, words: str) -> str:
    """Write ``1 file``, ``2 files``."""
    return f"{number} {words[:-1] if number == 1 else words}"
