"""The command itself: options, and what they ask for."""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.building import source_of
from reconciler.cli.validate import asking, formats
from reconciler.cli.validate.cache import VerdictCache
from reconciler.cli.validate.check import check
from reconciler.cli.validate.findings import Findings, ordered
from reconciler.cli.validate.load import Names, Options, apply_ignores, read_path, text_of
from reconciler.cli.validate.report import Report
from reconciler.errors import ConfigError
from reconciler.gitops.validate.asked import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from reconciler.cli.settings import Settings
    from reconciler.cli.validate.checked import Checked
    from reconciler.cli.validate.load import Read


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
@click.option("-q", "--quiet", is_flag=True, help="Show only what fails, and no counts.")
@click.option(
    "--rule",
    "levels",
    callback=asking.levels,
    multiple=True,
    metavar="RULE=off|info|warning|error",
    help="How much a rule counts (docs/validation-rules.md); GROUP/* for a whole group. May be repeated.",
)
@click.option(
    "--skip",
    multiple=True,
    metavar="KIND",
    help="Do not look at objects of this kind, as Secret or apps/v1/Deployment. May be repeated.",
)
@click.option(
    "--reject",
    multiple=True,
    metavar="KIND",
    help="Objects of this kind are errors. May be repeated.",
)
@click.option(
    "--kubernetes-version",
    default="",
    metavar="VERSION",
    help="The Kubernetes that the manifests are for, as 1.33; default: the newest known.",
)
@click.option(
    "--schema-location",
    "locations",
    multiple=True,
    metavar="LOCATION",
    help="Where schemas lie: `default`, a directory, or a path or https address as kubeconform writes it, "
    "with {{.ResourceKind}} and its like. May be repeated; the first that has one wins.",
)
@click.option(
    "--ignore-missing-schemas", is_flag=True, help="Say nothing of kinds without a schema."
)
@click.option("--require-schemas", is_flag=True, help="A kind without a schema is an error.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The configuration; reconciler.yaml is read where it lies beside the manifests or above them.",
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
    skip: tuple[str, ...],
    reject: tuple[str, ...],
    kubernetes_version: str,
    locations: tuple[str, ...],
    ignore_missing_schemas: bool,
    require_schemas: bool,
    config: Path | None,
    no_references: bool,
    values: tuple[Path, ...],
    changed_ref: str,
    jobs: int | None,
    no_cache: bool,
) -> None:
    """Check manifests: syntax, schema, rules, references. Exit code 3 when something is wrong; `-` reads stdin.

    A comment `# reconciler: ignore=RULE reason`, behind a line or above it, silences a finding there.
    """
    if "" in paths:
        raise click.UsageError("a path is empty")
    # What is loaded stays; what is kept is so little that looking through it often costs nothing, and garbage would pile up.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    asked = Asked(
        dict(levels), kubernetes_version, locations, ignore_missing_schemas, require_schemas, skip, reject
    )  # fmt: skip
    checks = asking.checks_for(paths, config, asked, _state_dir())
    options = Options(json.dumps(source_of(values, {})), not no_references, checks)
    read = [read_path(Path(text)) for text in dict.fromkeys(paths)]
    kept = _state_dir()  # verdicts lie in the state directory
    cache = None if no_cache or "-" in paths else VerdictCache(kept and kept / "validate")
    if changed_ref and "-" in paths:
        raise click.UsageError("--changed-since needs files of a git checkout, not standard input")
    with _progress(sum(len(one.snapshot.files) for one in read)) as progress:
        checked = check(
            read, options, cache=cache, jobs=jobs, whole=bool(changed_ref), progress=progress
        )
    report = _report(read, checked, options, strict=strict, changed_ref=changed_ref)
    failed = report.fails(fail_on)
    if quiet:
        shown = ("error",) if fail_on == "error" else ("error", "warning")
        report = report._replace(
            findings=ordered(f for f in report.findings if f.severity in shown)
        )
    for form, file in forms:
        _write(report, form, file, quiet=quiet)
    if ("github", "") in forms:
        _summarize(report)
    if failed:
        raise SystemExit(3)


def _state_dir() -> Path | None:
    settings: Settings | None = click.get_current_context().obj
    return settings.state_dir if settings is not None else None


def _report(
    read: Sequence[Read], checked: Checked, options: Options, *, strict: bool, changed_ref: str
) -> Report:
    kept, silenced = apply_ignores(checked, read, references=options.references)
    if options.checks is not None and options.checks.levels:
        # Files and comments are no documents: what is wrong with them is switched here.
        kept = (f for f in map(options.checks.apply, kept) if f is not None)
    files: Collection[str] = Names(read)
    documents = checked.documents
    if changed_ref:
        from reconciler.cli.validate.changed import changed_since, concerning, documents_of

        changed = changed_since(read, changed_ref)
        kept = concerning(kept, checked, changed)
        silenced = [one for one in silenced if one.finding.file in changed.files]
        files = sorted(changed.files.intersection(files))
        documents = documents_of(checked, frozenset(files))
    if strict:
        kept = (f._replace(severity="error") if f.severity == "warning" else f for f in kept)
    findings = kept if isinstance(kept, Findings) else ordered(kept)
    return Report(files, documents, findings, tuple(silenced), functools.partial(text_of, read))


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
        try:
            with Path(file).open("w", encoding="utf-8", errors="backslashreplace") as target:
                target.writelines(f"{formats.plain(line)}\n" for line in lines)
        except OSError as error:
            raise ConfigError(f"cannot write {file}: {error.strerror}") from error
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
