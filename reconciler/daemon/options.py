"""What a daemon is started with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.config import Config

if TYPE_CHECKING:
    from pathlib import Path


class Options(NamedTuple):
    """Flags of ``up`` and ``daemon``, and the configuration file's content. Port 0 = any free one."""

    state_dir: Path
    runtime: str = "process"
    listen: str = "127.0.0.1"
    http_port: int = 8080
    https_port: int = 8443
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    config: Config = Config()
