"""``reconciler render``: print the documents that would be synced."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from reconciler.cli.validate import named_from, snapshot_of, values_from


@click.command(short_help="Print the documents that would be synced.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--values",
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML file of values for *.j2 files; may be repeated.",
)
def command(*, path: Path, values: tuple[Path, ...]) -> None:
    """Print the documents that PATH's manifests and templates come to, as YAML."""
    from reconciler.gitops.render import render

    rendered = render(snapshot_of(path), values=values_from(map(str, values), {}))
    for finding in named_from(path, rendered.findings):
        click.echo(finding.text(), err=True)
    if any(f.severity == "error" for f in rendered.findings):
        raise SystemExit(3)
    for document in rendered.documents:
        text = yaml.safe_dump(document.object, sort_keys=False, allow_unicode=True)
        click.echo(f"---\n# {document.origin.file}:{document.origin.line}\n{text}", nl=False)
