"""``reconciler validate``: parse, render, schema, rules, references."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.source import Snapshot


def snapshot_of(path: Path) -> Snapshot:
    """Read a directory or file once. Raises ``SourceError``."""
    from reconciler.gitops.source.scan import Scanner

    return Scanner(path).scan()


def named_from(path: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings whose files are named as the user would from here."""
    if path.is_file():
        return [f._replace(file=str(path)) for f in findings]
    return [f._replace(file=str(path / f.file)) for f in findings]


def values_from(files: Iterable[str], sets: Mapping[str, Any]) -> dict[str, Any]:
    from reconciler.gitops.engine.desired import values_of

    templates = {"values": list(files), "set": dict(sets)}
    return values_of({"spec": {"source": {"templates": templates}}})


def validate_path(
    path: Path, values: Iterable[str] = (), sets: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Return what is wrong with everything at a path."""
    findings, _, _ = _check(path, values, sets or {}, references=True)
    return findings


def _check(
    path: Path, values: Iterable[str], sets: Mapping[str, Any], *, references: bool
) -> tuple[list[Finding], int, int]:
    from reconciler.gitops.render import render
    from reconciler.gitops.validate import validate
    from reconciler.runtime.process.fields import HONOURED

    snapshot = snapshot_of(path)
    rendered = render(snapshot, values=values_from(values, sets))
    found = validate(rendered.documents, references=references, honoured=HONOURED)
    findings = named_from(path, [*rendered.findings, *found])
    return findings, len(snapshot.files), len(rendered.documents)


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
    findings: list[Finding] = []
    files = documents = 0
    for text in paths:
        path = Path(text)
        if text == "-":
            found, some, more = _check_stdin(references=not no_references)
        elif not path.exists():
            raise SourceError(f"{text}: no such file or directory")
        else:
            found, some, more = _check(path, map(str, values), {}, references=not no_references)
        findings += found
        files += some
        documents += more
    if strict:
        findings = [
            f._replace(severity="error") if f.severity == "warning" else f for f in findings
        ]
    findings.sort(key=lambda f: (f.file, f.line, f.column, f.rule))
    counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning")}
    summary = {
        "files": files, "documents": documents, "errors": counts["error"],
        "warnings": counts["warning"], "skipped": 0,
    }  # fmt: skip
    if form == "json":
        click.echo(
            json.dumps({"summary": summary, "findings": [f.to_json() for f in findings]}, indent=2)
        )
    else:
        for finding in findings:
            click.echo(finding.text())
        click.echo(
            f"{files} files, {documents} documents: {counts['error']} errors, {counts['warning']} warnings"
        )
    if counts["error"]:
        raise SystemExit(3)


def _check_stdin(*, references: bool) -> tuple[list[Finding], int, int]:
    from hashlib import sha256

    from reconciler.gitops.render import render
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import validate

    data = sys.stdin.buffer.read()
    snapshot = Snapshot("", {"-": File("-", sha256(data).hexdigest(), data)})
    rendered = render(snapshot)
    found = validate(rendered.documents, references=references)
    return [*rendered.findings, *found], 1, len(rendered.documents)
