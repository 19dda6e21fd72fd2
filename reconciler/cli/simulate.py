"""``reconciler simulate``: the whole control plane under virtual time, from seeds."""

from __future__ import annotations

import logging

import click


class _Seeds(click.ParamType[range]):
    name = "A..B"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> range:
        if isinstance(value, range):
            return value
        first, dots, last = str(value).partition("..")
        try:
            found = range(int(first), int(last if dots else first) + 1)
        except ValueError:
            self.fail(f"{value!r} is not A..B: 0..1999 are 2,000 seeds", param, ctx)
        if not found:
            self.fail(f"{value!r} holds no seed", param, ctx)
        return found


@click.command(short_help="Break a simulated machine in every way, and see whether it heals.")
@click.option("--seeds", type=_Seeds(), default="0..99", show_default=True, help="Which seeds.")
@click.option("--seed", type=int, help="One seed, told step by step.")
@click.option(
    "--hours", type=click.FloatRange(min=0), default=1.0, show_default=True,
    help="Virtual hours of quiet after each story, in which nothing may be written.",
)  # fmt: skip
@click.option("--faults", help="Which faults, with commas; none: `--faults ''`.  [default: all]")
def command(*, seeds: range, seed: int | None, hours: float, faults: str | None) -> None:
    """Live through random manifests, edits and faults on the memory runtime under virtual time.

    Nothing of this machine is touched. Exits 1 with the shortest story that fails.
    """
    import structlog

    from reconciler.simulation import FAULTS, play, shrink, tell

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen = list(FAULTS) if faults is None else [f for f in faults.split(",") if f]
    if unknown := sorted(set(chosen) - set(FAULTS)):
        raise click.UsageError(f"no such fault: {unknown[0]} (there are {', '.join(FAULTS)})")
    writes = crashes = 0
    wanted = seeds if seed is None else range(seed, seed + 1)
    for number, current in enumerate(wanted, 1):
        verdict = play(tell(current, chosen, hours))
        if seed is not None:
            for step in verdict.story.steps:
                click.echo(str(step))
        if verdict.broken:
            short = shrink(verdict, play)
            click.echo(f"seed {current}: {short.broken}")
            for step in short.story.steps:
                click.echo(f"  {step}")
            flag = "" if faults is None else f" --faults '{faults}'"
            click.echo(f"replay: reconciler simulate --seed {current} --hours {hours:g}{flag}")
            raise click.exceptions.Exit(1)
        writes, crashes = writes + verdict.writes, crashes + verdict.crashes
        if number % 100 == 0:
            click.echo(f"{number} of {len(wanted)} seeds", err=True)
    click.echo(
        f"{len(wanted)} seeds, {writes} writes, {crashes} deaths of the daemon: everything held"
    )
