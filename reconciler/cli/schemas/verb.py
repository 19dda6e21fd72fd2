"""The verbs: import, list, show, path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@click.group(short_help="Show the schemas of kinds; make schemas of OpenAPI and CRDs.")
def command() -> None:
    """Show the JSON Schemas that manifests are held to, and make others of OpenAPI documents and CustomResourceDefinitions."""


@command.command("import")
@click.argument("source")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Where they are written.  [default: schemas in the state directory]")  # fmt: skip
@click.option("--kubernetes-version", metavar="VERSION",
              help="Written below DIR/vVERSION-standalone-strict, one folder a version.")  # fmt: skip
@click.pass_obj
def import_(
    settings: Settings, /, *, source: str, out: Path | None, kubernetes_version: str | None
) -> None:
    """Make JSON Schemas of SOURCE, one a kind and apiVersion.

    SOURCE is a file, a directory, a URL (http, https) or - for standard input. It holds Kubernetes' OpenAPI (version 2 or 3)
    or CustomResourceDefinitions, as JSON or YAML.
    """
    from reconciler.cli.schemas.importing import folder, imported, write
    from reconciler.cli.schemas.sources import documents_of
    from reconciler.gitops.validate.checks import parse_version

    version = None if kubernetes_version is None else parse_version(kubernetes_version)
    found = imported(documents_of(source))
    directory = folder(out or settings.state_dir / "schemas", version)
    write(directory, found)
    if settings.verbosity < 0:
        return
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    if found.others:
        noun = "document was" if found.others == 1 else "documents were"
        click.echo(f"note: {found.others} {noun} neither OpenAPI nor a CustomResourceDefinition", err=True)  # fmt: skip
    if settings.verbosity > 0:
        for name, (gvk, _) in found.files.items():
            click.echo(f"{gvk.kind} ({gvk.api_version}) {directory / name}")
    noun = "schema" if len(found.files) == 1 else "schemas"
    click.echo(f"{len(found.files)} {noun} written to {directory}")


@command.command("list")
@click.option("-o", "--output", type=click.Choice(["json", "name"]), help="As JSON, or file names only.")  # fmt: skip
@click.pass_obj
def list_(settings: Settings, /, *, output: str | None) -> None:
    """List the kinds that there are schemas of: those that come with reconciler, and those of the state directory."""
    from reconciler.cli.schemas.lookup import entries
    from reconciler.cli.tables.layout import aligned

    found = entries(settings.state_dir)
    if output == "json":
        rows = [
            {"kind": e.gvk.kind, "apiVersion": e.gvk.api_version, "file": str(e.path)}
            for e in found
        ]
        click.echo(json.dumps({"schemas": rows}, indent=2))
    elif output == "name":
        for entry in found:
            click.echo(entry.path)
    else:
        cells = [[e.gvk.kind, e.gvk.api_version, e.where] for e in found]
        click.echo(aligned([["KIND", "APIVERSION", "FROM"], *cells]))


@command.command()
@click.argument("kind")
@click.argument("field", required=False, default="")
@click.pass_obj
def show(settings: Settings, /, *, kind: str, field: str) -> None:
    """Print the schema of a KIND, or what it says of one FIELD of it.

    KIND is written Deployment, deployments, deploy, apps/v1/Deployment; reconciler.yaml is one too. FIELD is written
    spec.template.spec.containers.
    """
    from reconciler.cli.schemas.lookup import below, find

    schema = json.loads(find(kind, settings.state_dir).read_bytes())
    click.echo(json.dumps(below(schema, kind, field) if field else schema, indent=2))


@command.command()
@click.argument("kind", required=False)
@click.pass_obj
def path(settings: Settings, /, *, kind: str | None) -> None:
    """Print the directory of the schemas that come with reconciler, or the file of one KIND: for editors."""
    from reconciler.api.schemas import directory
    from reconciler.cli.schemas.lookup import find

    click.echo(find(kind, settings.state_dir) if kind else directory())
