"""``reconciler render``: print the documents that would be synced."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from reconciler.cli.application import name_of_directory
from reconciler.cli.building import build, located, source_of
from reconciler.cli.validate import named_from, snapshot_of


@click.command(short_help="Print the documents that would be synced.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--values",
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML file of values for *.j2 files; may be repeated.",
)
def command(*, path: Path, values: tuple[Path, ...]) -> None:
    """Print the documents that PATH's manifests and templates come to, as YAML. Exit code 3 when something is wrong.

    Encrypted values are never decrypted here: they are shown empty.
    """
    source = located(source_of(values, {}), path)
    rendered = build(snapshot_of(path), source, name=name_of_directory(path.resolve()))
    for finding in named_from(path, rendered.findings):
        click.echo(finding.text(), err=True)
    if any(f.severity == "error" for f in rendered.findings):
        raise SystemExit(3)
    for document in rendered.documents:
        text = yaml.dump(
            document.object, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000
        )
        where = f"{document.origin.file}:{document.origin.line}"
        click.echo(f"---\n# {where.encode('unicode_escape').decode()}\n{text}", nl=False)


class _Dumper(yaml.SafeDumper):
    """Writes text so that every YAML 1.1 reader takes it for text, and never an anchor."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    from reconciler.gitops.render import scalar

    try:
        ambiguous = not isinstance(scalar.plain(value), str)
    except scalar.NotJson:
        ambiguous = True
    style = '"' if ambiguous else "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
