"""Printing objects: as tables, JSON, YAML, names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import yaml

from reconciler.cli import tables
from reconciler.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object

FORMATS = ("wide", "json", "yaml", "name")


def without_managed_fields(obj: Object) -> Object:
    """Return an object as kubectl shows it."""
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return {**obj, "metadata": meta}


def print_structured(form: str, objects: Sequence[Object], *, single: bool) -> None:
    """Print objects as one JSON or YAML document; several are a ``List``."""
    shown = [without_managed_fields(o) for o in objects]
    document: Object = (
        shown[0]
        if single
        else {
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {"resourceVersion": ""},
            "items": shown,
        }
    )
    if form == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)


def print_tables(
    groups: Sequence[tuple[Kind, Sequence[Object]]], *, namespaces: bool, wide: bool
) -> None:
    """Print one table a kind; several tables have the kind before each name."""
    now = SystemClock().now()
    filled = [(kind, objects) for kind, objects in groups if objects]
    texts = [
        tables.table(
            objects,
            now,
            namespaces=namespaces and kind.namespaced,
            wide=wide,
            prefix=f"{kind.resource.replace(kind.plural, kind.singular, 1)}/"
            if len(groups) > 1
            else "",
        )
        for kind, objects in filled
    ]
    click.echo("\n\n".join(texts))
