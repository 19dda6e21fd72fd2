"""``reconciler history``: what syncs did. Read from the state directory: no daemon is needed."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import click

from reconciler.cli import tables
from reconciler.clock import SystemClock, rfc3339
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.settings import Settings
    from reconciler.gitops.history import FileHistory, Record

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_MARKS = {"create": "+", "update": "~", "prune": "-"}
_LONGEST = 60


@click.command(short_help="Show what an Application's syncs did.")
@click.argument("name")
@click.argument("revision", default="")
@click.option("-o", "--output", "form", type=click.Choice(["json"]))
@click.option(
    "--diff", "compared", nargs=2, metavar="A B",
    help="Show what differs between two of them; values of Secrets are masked.",
)  # fmt: skip
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    name: str,
    revision: str,
    form: str | None,
    compared: tuple[str, str] | None,
) -> None:
    """Show what an Application's syncs did; with REVISION (an ID or a revision) what one did to each object."""
    from reconciler.gitops.history import FileHistory

    history = FileHistory(settings.state_dir)
    records = history.records(name)
    if not records:
        raise ReconcilerError(
            f"no sync of an Application {name!r} is recorded in {settings.state_dir}"
        )
    if compared:
        _print_difference(history, name, records, compared, form)
        return
    if revision:
        record = _one(records, revision)
        click.echo(json.dumps(record.to_json(), indent=2) if form else _detail(record))
    elif form:
        document = {"application": name, "history": [r.to_json() for r in records]}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(_table(records))


def _one(records: Sequence[Record], wanted: str) -> Record:
    from reconciler.gitops.history.record import find

    found = find(records, wanted)
    if not found:
        known = ", ".join(f"{r.id} ({r.revision[:12]})" for r in records)
        raise ReconcilerError(f"the history holds no {wanted!r}: it has {known}")
    return found[-1]


def _table(records: Sequence[Record]) -> str:
    now = SystemClock().now()
    rows = [["ID", "REVISION", "AGE", "TOOK", "BY", "RESULT", "HEALTH", "AUTHOR", "MESSAGE"]]
    rows += [
        [
            str(r.id), r.revision[:12], tables.age(rfc3339(r.started), now),
            f"{r.finished - r.started:.1f}s", _by(r), r.result, r.health or "-", r.author or "-",
            _short(r.title or r.message),
        ]
        for r in records
    ]  # fmt: skip
    return tables.aligned(rows)


def _by(record: Record) -> str:
    return f"{record.trigger}:{record.by}" if record.by else record.trigger


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _detail(record: Record) -> str:
    plan = ", ".join(f"{n} {action}" for action, n in record.plan.items()) or "nothing to do"
    author = f" by {record.author}" if record.author else ""
    lines = [
        f"{record.id}: {record.revision}{author}",
        *([f"  {record.title}"] if record.title else []),
        f"started   {rfc3339(record.started)} by {_by(record)}, {record.finished - record.started:.1f} s, tries: {record.tries}",
        f"result    {record.result}, {record.health or 'health unknown'}: {record.message}",
        f"plan      {plan}",
    ]
    for obj in record.objects:
        where = f"{obj.namespace}/" if obj.namespace else ""
        told = f"  {obj.message}" if obj.message else ""
        lines.append(
            f"  {obj.action:<7} {obj.kind} {where}{obj.name}  {obj.result}  {obj.seconds:.3f} s{told}"
        )
    return "\n".join(lines)


def _print_difference(
    history: FileHistory,
    name: str,
    records: Sequence[Record],
    compared: tuple[str, str],
    form: str | None,
) -> None:
    from reconciler.gitops.diff import unified
    from reconciler.gitops.history.comparison import differences

    before, after = (_one(records, wanted) for wanted in compared)
    for record in (before, after):
        if not record.set:
            raise ReconcilerError(f"what {record.id} rendered to is not kept")
    sets = (history.objects(name, r.set) for r in (before, after))
    found = differences(*sets, mask=secrets.token_bytes(16))
    if form:
        changes = [
            {
                "action": d.action, **d.key._asdict(),
                "fields": [{"path": f.path, "before": f.before, "after": f.after} for f in d.fields],
            }
            for d in found
        ]  # fmt: skip
        document = {"from": before.id, "to": after.id, "changes": changes}
        click.echo(json.dumps(document, indent=2))
        return
    if not found:
        click.echo(f"{before.id} and {after.id} rendered to the same")
    for difference in found:
        key = difference.key
        where = f"{key.namespace}/" if key.namespace else ""
        click.echo(f"{_MARKS[difference.action]} {key.kind} {where}{key.name}")
        for line in unified(difference.fields):
            click.secho(f"    {line.mark} {line.text}", fg=_COLOURS.get(line.mark))
