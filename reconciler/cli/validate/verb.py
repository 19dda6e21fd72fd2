"""The command itself: options, and what they ask for."""

from __future__ import annotations

import json
from pathlib import Path

import click

from reconciler.cli.validate.load import check, load, values_from


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
    loaded = [load(Path(text), given) for text in dict.fromkeys(paths)]
    findings = check(loaded, references=not no_references)
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
