"""The command itself: options, and what they ask for."""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.building import source_of
from reconciler.cli.validate import formats
from reconciler.cli.validate.cache import VerdictCache
from reconciler.cli.validate.load import Options, apply_ignores, check, read_path
from reconciler.cli.validate.report import Report, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.cli.settings import Settings
    from reconciler.cli.validate.load import Checked, Read


#: From so many files on, a terminal is shown how far the run is.
LONG_RUN = 500


def _forms(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Read ``FORMAT`` or ``FORMAT=FILE``."""
    found = []
    for value in values or ("auto",):
        form, _, file = value.partition("=")
        if form not in (*formats.FORMATS, "auto"):
            known = ", ".join(["auto", *formats.FORMATS])
            raise click.BadParameter(f"{form!r} is not one of {known}", ctx, param)
        found.append((form, file))
    return found


def _levels(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read ``RULE=SEVERITY``."""
    if not values:
        return ()
    from reconciler.errors import BadRequest
    from reconciler.gitops.validate.checks import level_of

    found = []
    for value in values:
        rule, _, severity = value.partition("=")
        try:
            found.append(level_of(rule, severity))
        except BadRequest as error:
            raise click.BadParameter(str(error), ctx, param) from error
    return tuple(found)


@click.command(short_help="Check manifests without running them.")
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--format",
    "forms",
    callback=_forms,
    multiple=True,
    metavar="FORMAT[=FILE]",
    help=f"{', '.join(formats.FORMATS)}; to a file, where one is named. May be repeated. "
    "Default: human on a terminal, text elsewhere.",
)
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="Exit with 3 from this severity on.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show errors only, and no counts.")
@click.option(
    "--rule",
    "levels",
    callback=_levels,
    multiple=True,
    metavar="RULE=off|info|warning|error",
    help="How much a rule counts (docs/validation-rules.md); GROUP/* for a whole group. May be repeated.",
)
@click.option("--no-references", is_flag=True, help="Check each file by itself.")
@click.option(
    "--values",
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML file of values for *.j2 files; may be repeated.",
)
@click.option(
    "--changed-since",
    "changed_ref",
    default="",
    metavar="REF",
    help="Tell only what has to do with files that differ from this commit, branch or tag.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes; default: as many as are worth it.")
@click.option("--no-cache", is_flag=True, help="Look at everything anew; keep nothing.")
def command(
    *,
    paths: tuple[str, ...],
    forms: list[tuple[str, str]],
    strict: bool,
    fail_on: str,
    quiet: bool,
    levels: tuple[tuple[str, str], ...],
    no_references: bool,
    values: tuple[Path, ...],
    changed_ref: str,
    jobs: int | None,
    no_cache: bool,
) -> None:
    """Check manifests: syntax, schema, rules, references. Exit code 3 when something is wrong; `-` reads stdin.

    A comment `# reconciler: ignore=RULE reason`, behind a line or above it, silences a finding there.
    """
    # A short run that makes little garbage: what is loaded stays, and the collector seldom looks.
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    options = Options(
        json.dumps(source_of(values, {})), references=not no_references, levels=levels
    )
    read = [read_path(Path(text)) for text in dict.fromkeys(paths)]
    cache = None if no_cache or "-" in paths else VerdictCache(_directory())
    if changed_ref and "-" in paths:
        raise click.UsageError("--changed-since needs files of a git checkout, not standard input")
    with _progress(sum(len(one.snapshot.files) for one in read)) as progress:
        checked = check(
            read, options, cache=cache, jobs=jobs, whole=bool(changed_ref), progress=progress
        )
    report = _report(read, checked, options, strict=strict, changed_ref=changed_ref)
    failed = report.fails(fail_on)
    if quiet:
        report = report._replace(
            findings=tuple(f for f in report.findings if f.severity == "error")
        )
    for form, file in forms:
        _write(report, form, file, quiet=quiet)
    if ("github", "") in forms:
        _summarize(report)
    if failed:
        raise SystemExit(3)


def _directory() -> Path | None:
    """Return where verdicts are kept: in the state directory."""
    settings: Settings | None = click.get_current_context().obj
    return settings.state_dir / "validate" if settings is not None else None


def _report(
    read: Sequence[Read], checked: Checked, options: Options, *, strict: bool, changed_ref: str
) -> Report:
    kept, silenced = apply_ignores(checked.findings, read, references=options.references)
    files = {one.naming.of(path) for one in read for path in one.snapshot.files}
    documents = checked.documents
    if changed_ref:
        from reconciler.cli.validate.changed import changed_since, concerning

        changed = changed_since(read, changed_ref)
        kept = concerning(kept, checked, changed)
        silenced = [one for one in silenced if one.finding.file in changed.files]
        files &= changed.files
        documents = sum(d.origin.file in files for d, _ in checked.verdicts)
    if strict:
        kept = [f._replace(severity="error") if f.severity == "warning" else f for f in kept]
    return Report(
        tuple(sorted(files)),
        documents,
        tuple(ordered(kept)),
        tuple(silenced),
        lambda file: next((text for one in read if (text := one.text(file))), ""),
    )


@contextlib.contextmanager
def _progress(files: int) -> Iterator[Callable[[int], None]]:
    """Show how far a long run is, on a terminal and only there."""
    if files < LONG_RUN or not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(done: int) -> None:
        click.echo(f"\r\033[Kchecked {done:,} of {files:,} files", nl=False, err=True)

    try:
        yield show
    finally:
        click.echo("\r\033[K", nl=False, err=True)


def _write(report: Report, form: str, file: str, *, quiet: bool) -> None:
    if form == "auto":
        form = "human" if sys.stdout.isatty() else "text"
    lines = formats.lines(form, report)
    if file:
        text = "".join(f"{formats.plain(line)}\n" for line in lines)
        Path(file).write_text(text, encoding="utf-8", errors="backslashreplace")
        return
    asked = click.get_current_context().color
    colored = asked if asked is not None else sys.stdout.isatty() and "NO_COLOR" not in os.environ
    counts = report.sentence()
    kept = (
        line if colored else formats.plain(line)
        for line in lines
        if not (quiet and counts in line and form in ("human", "text", "github"))
    )  # fmt: skip
    # Many lines at once: a call for each would cost more than the whole of a warm run.
    while written := list(itertools.islice(kept, 1000)):
        click.echo("\n".join(written), color=colored)


def _summarize(report: Report) -> None:
    """Write the summary of a workflow's step, where GitHub Actions says where to."""
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if target:
        with Path(target).open("a", encoding="utf-8", errors="backslashreplace") as summary:
            summary.writelines(f"{line}\n" for line in formats.lines("markdown", report))
