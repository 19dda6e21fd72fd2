"""``reconciler daemon``: the long-running service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.cli.settings import Settings
    from reconciler.daemon.options import Options

_PORT = click.IntRange(0, 65535)

#: Flags of everything that may start a daemon. None of them has a default here: what is not said is for the file to say.
_SERVING = (
    click.option("--listen", metavar="ADDRESS",
                 help="Where Ingress and NodePorts listen.  [default: 127.0.0.1]"),
    click.option("--http-port", type=_PORT,
                 help="Port of Ingress; 0 = any free one.  [default: 8080]"),
    click.option("--https-port", type=_PORT,
                 help="Port of Ingress with TLS; 0 = any free one.  [default: 8443]"),
    click.option("--pod-cidr", metavar="CIDR", help="Addresses of Pods.  [default: 10.244.0.0/16]"),
    click.option("--service-cidr", metavar="CIDR",
                 help="Addresses of Services.  [default: 10.96.0.0/12]"),
    click.option("--metrics-listen", metavar="ADDRESS:PORT",
                 help="Where /metrics, /healthz and /readyz are served too."),
    click.option("--config", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                 help="The configuration; ./reconciler.yaml is read where it exists."),
)  # fmt: skip

_LEVELS = {-1: "error", 1: "info", 2: "debug"}


def serving_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of everything that may start a daemon."""
    for option in reversed(_SERVING):
        function = option(function)
    return function


def make_options(settings: Settings, **flags: Any) -> Options:
    """Return a daemon's options. Raises ``ConfigError`` for a bad file or flag."""
    from reconciler.daemon.options import Flags, resolve

    return resolve(settings.state_dir, Flags(runtime=settings.runtime, **flags))


def unheeded(flags: Mapping[str, Any], details: Mapping[str, Any]) -> list[str]:
    """Return the serving flags that come too late for a daemon of which these are the details, as they were given."""
    found = []
    for name, value in flags.items():
        url = urlsplit(details["ingress"].get("https" if name == "https_port" else "http") or "")
        held: dict[str, tuple[object, ...]] = {
            "http_port": (0, url.port), "https_port": (0, url.port), "listen": (url.hostname,),
        }  # fmt: skip
        if value is not None and value not in held.get(name, ()):
            found.append(f"--{name.replace('_', '-')} {value}")
    return found


@click.command(short_help="Run the long-running service.")
@serving_options
@click.option("--log-level", type=click.Choice(["error", "warning", "info", "debug"]),
              help="The least that is worth a line.  [default: info]")  # fmt: skip
@click.option("--log-format", type=click.Choice(["text", "json"]),
              help="Lines for people or for collectors.  [default: text]")  # fmt: skip
@click.option("--log-json", "log_format", flag_value="json", hidden=True)
@click.option(
    "--check-config", is_flag=True, help="Say whether the configuration is valid; run nothing."
)
@click.pass_obj
def command(settings: Settings, /, *, check_config: bool, **flags: Any) -> None:
    """Run the service of a state directory until SIGTERM or Ctrl-C. Workloads go on running afterwards.

    SIGHUP reads the configuration again.
    """
    from reconciler.daemon import lean

    lean.import_without_rich()
    flags["log_level"] = flags["log_level"] or _LEVELS.get(settings.verbosity)
    options = make_options(settings, **flags)
    if check_config:
        from reconciler.daemon import seeds

        found = seeds.read(options.config.applications)
        count = f"{len(found)} object{'s' * (len(found) != 1)} to keep applied"
        click.echo(f"{options.flags.config or 'no configuration file'}: valid, {count}")
        return
    from reconciler import telemetry
    from reconciler.daemon.run import run

    telemetry.configure(options.config.log.level, json=options.config.log.format == "json")
    asyncio.run(run(options))
