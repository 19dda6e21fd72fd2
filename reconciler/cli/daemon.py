"""``reconciler daemon``: the long-running service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.cli.settings import Settings
    from reconciler.daemon.options import Options


def serving_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of everything that may start a daemon."""
    from pathlib import Path as PathType

    for option in reversed(
        (
            click.option("--listen", default="127.0.0.1", show_default=True, metavar="ADDRESS",
                         help="Where Ingress and NodePorts listen."),
            click.option("--http-port", default=8080, show_default=True, type=click.IntRange(0, 65535),
                         help="Port of Ingress; 0 = any free one."),
            click.option("--https-port", default=8443, show_default=True, type=click.IntRange(0, 65535),
                         help="Port of Ingress with TLS; 0 = any free one."),
            click.option("--pod-cidr", default="10.244.0.0/16", show_default=True, metavar="CIDR",
                         help="Addresses of Pods."),
            click.option("--service-cidr", default="10.96.0.0/12", show_default=True, metavar="CIDR",
                         help="Addresses of Services."),
            click.option("--config", "config_file", type=click.Path(dir_okay=False, path_type=PathType),
                         help="reconciler.yaml; ./reconciler.yaml is read where it exists."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def make_options(
    settings: Settings,
    *,
    listen: str,
    http_port: int,
    https_port: int,
    pod_cidr: str,
    service_cidr: str,
    config_file: Path | None,
) -> Options:
    """Return a daemon's options. Raises ``ConfigError`` for a bad file or range."""
    import ipaddress
    from pathlib import Path as PathType

    from reconciler import config
    from reconciler.daemon.options import Options
    from reconciler.errors import ConfigError

    for flag, text in (("--pod-cidr", pod_cidr), ("--service-cidr", service_cidr)):
        try:
            ipaddress.IPv4Network(text)
        except ValueError as error:
            raise ConfigError(f"{flag} {text}: {error}") from error
    default = PathType("reconciler.yaml")
    path = config_file or (default if default.is_file() else None)
    loaded = config.load(path) if path is not None else config.Config()
    return Options(
        state_dir=settings.state_dir, runtime=settings.runtime, listen=listen,
        http_port=http_port, https_port=https_port, pod_cidr=pod_cidr, service_cidr=service_cidr,
        config=loaded,
    )  # fmt: skip


@click.command(short_help="Run the long-running service.")
@serving_options
@click.option("--log-json", is_flag=True, help="Write logs as JSON lines.")
@click.pass_obj
def command(settings: Settings, /, *, log_json: bool, **flags: Any) -> None:
    """Run the service of a state directory until SIGTERM or Ctrl-C. Workloads go on running afterwards."""
    from reconciler import telemetry
    from reconciler.daemon.run import run

    telemetry.configure(max(settings.verbosity, 1), json=log_json)
    asyncio.run(run(make_options(settings, **flags)))
