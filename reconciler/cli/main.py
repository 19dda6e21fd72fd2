"""The command line's entry: common options, verbs loaded when they are called, errors in one line."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from reconciler import __version__
from reconciler.cli.settings import Settings, default_state_dir
from reconciler.errors import ReconcilerError

#: Verbs in the order that help shows them in, with their one line: help must not load them.
VERBS = {
    "up": "Run PATH's manifests here and keep them so.",
    "down": "Stop what `up` started.",
    "daemon": "Run the long-running service.",
    "validate": "Check manifests without running them.",
    "schemas": "Show the schemas of kinds; make others of OpenAPI and CRDs.",
    "render": "Print the documents that would be synced.",
    "plan": "Show what a sync of PATH would change.",
    "sync": "Sync an Application now.",
    "status": "Show Applications and the tree of their objects.",
    "history": "Show what an Application's syncs did.",
    "rollback": "Go back to a revision of the history.",
    "suspend": "Stop syncing an Application.",
    "resume": "Sync an Application again.",
    "get": "List objects.",
    "describe": "Show one object and its Events.",
    "logs": "Print a container's log.",
    "exec": "Run a command in a container.",
    "debug": "Look at a Pod that runs from a container of its own.",
    "events": "List Events.",
    "top": "Show what nodes and Pods use.",
    "rollout": "Show, undo or restart a rollout.",
    "scale": "Set a workload's number of replicas.",
    "delete": "Delete objects.",
    "install": "Write a systemd unit for the daemon.",
    "uninstall": "Remove the systemd unit.",
    "backup": "Write the state directory to one file.",
    "restore": "Make a state directory of a backup.",
    "simulate": "Break a simulated machine, and see whether it heals.",
    "version": "Print the version.",
    "completion": "Print a shell's completion script.",
}

RUNTIMES = ("process", "memory")
COLORS = ("auto", "always", "never")

_MODULES = {
    "exec": "execute",
    "suspend": "suspension",
    "resume": "suspension",
    "uninstall": "install",
}


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Take a common option that stands after the verb."""
    if value is None:
        return
    if param.name == "state_dir":
        value = value.expanduser().absolute()
    elif param.name == "color" and value != "auto":
        ctx.color = value == "always"
    ctx.obj = ctx.obj._replace(**{str(param.name): value})


def _with_common_options(command: click.Command) -> click.Command:
    """Let a verb, and the verbs below it, take the common options too."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _with_common_options(below)
    taken = {p.name for p in command.params}
    common: dict[str, Any] = {
        "state_dir": click.Path(path_type=Path),
        "runtime": click.Choice(RUNTIMES),
        "color": click.Choice(COLORS),
    }
    for name, kind in common.items():
        if name not in taken:
            flag = f"--{name.replace('_', '-')}"
            option = click.Option(
                [flag], type=kind, expose_value=False, callback=_set, hidden=name != "state_dir",
                metavar="DIR" if name == "state_dir" else None,
                help="Where state lies." if name == "state_dir" else None,
            )  # fmt: skip
            command.params.append(option)
    return command


#: What users of kubectl and Compose look for, and how it is done here.
_ELSEWHERE = {
    **dict.fromkeys(("apply", "create", "run", "start"), "`reconciler up PATH` runs manifests"),
    **dict.fromkeys(
        ("edit", "patch", "set", "label", "annotate", "replace"),
        "change the manifest: it is applied by itself",
    ),
    "port-forward": "a Service of type NodePort, or an Ingress, is reached from this host",
    "cp": "`reconciler exec POD -- cat FILE` prints a file of a container",
    "wait": "`reconciler up PATH --detach --wait` and `reconciler rollout status` wait",
    "attach": "`reconciler logs -f POD` follows its output",
    "ps": "`reconciler get pods`",
    "stop": "`reconciler down`",
}


class _Verbs(click.Group):
    """Loads a verb's module when it is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; where there is none, say which was meant."""
        word = args[0]
        if word in VERBS or word.startswith("-"):
            return super().resolve_command(ctx, args)
        said = f"No such command {word!r}."
        if word in _ELSEWHERE:
            said += f" {_ELSEWHERE[word][0].upper()}{_ELSEWHERE[word][1:]}."
        elif near := difflib.get_close_matches(word, VERBS, 1):
            said += f" Did you mean {near[0]!r}?"
        raise click.UsageError(said, ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"reconciler.cli.{_MODULES.get(cmd_name, cmd_name)}")
        # A module of several verbs names each of them; a module of one calls it ``command``.
        found = getattr(module, cmd_name, None)
        if not isinstance(found, click.Command):
            found = module.command
        return _with_common_options(found) if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--state-dir", type=click.Path(path_type=Path), help="Where state lies.", metavar="DIR"
)
@click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    help="What runs the Pods.  [default: process]",
)
@click.option("-v", "--verbose", count=True, help="Say more; twice: with tracebacks.")
@click.option("-q", "--quiet", is_flag=True, help="Say only errors.")
@click.option("--color", type=click.Choice(COLORS), default="auto", show_default=True)
@click.version_option(__version__, prog_name="reconciler", message="%(prog)s %(version)s")
@click.pass_context
def group(
    ctx: click.Context,
    *,
    state_dir: Path | None,
    runtime: str | None,
    verbose: int,
    quiet: bool,
    color: str,
) -> None:
    """GitOps for machines without a cluster: Kubernetes manifests become running, self-healing processes."""
    directory = (state_dir or default_state_dir()).expanduser().absolute()
    ctx.obj = Settings(directory, runtime, -1 if quiet else min(verbose, 2), color)
    if color != "auto":
        ctx.color = color == "always"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    try:
        # What a command returns is its exit code; so is, outside of click's own mode, that of ``Exit``.
        returned = group.main(arguments, prog_name="reconciler", standalone_mode=False)
        code = returned if isinstance(returned, int) else 0
    except click.ClickException as error:
        error.show()
        code = 2 if isinstance(error, click.UsageError) else 1
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        # Whoever read our output has gone: nothing is left to say, nor anywhere to say it.
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        code = 1
    except ReconcilerError as error:
        code = _fail(error)
    except BaseExceptionGroup as several:
        code = _fail(_first(several))
    except Exception as error:  # noqa: BLE001 - a user gets one line, whatever it is
        code = _fail(error)
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 1
    sys.exit(code)


#: Errors of files for which the host, or whoever owns it, is to be asked.
_OF_THE_HOST = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENAMETOOLONG,
}  # fmt: skip


def _first(error: BaseException) -> BaseException:
    """Return the first error of a group of tasks that failed together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _fail(error: BaseException) -> int:
    """Say what went wrong in one line; returns the exit code."""
    if "-vv" in sys.argv:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, OSError) and error.errno in _OF_THE_HOST and error.filename:
        told: Any = f"{error.filename}: {error.strerror}"
    elif not isinstance(error, ReconcilerError):
        told = f"{type(error).__name__}: {error} (this is a fault of reconciler; -vv shows where)"
    else:
        told = error
    click.echo(f"error: {' '.join(str(told).split())}", err=True)
    return 1
