"""Reading the configuration again while the daemon runs (SIGHUP)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from reconciler.daemon import seeds
from reconciler.errors import ConfigError, ReconcilerError
from reconciler.telemetry import configure

if TYPE_CHECKING:
    from reconciler.api.client import Client
    from reconciler.config import Config
    from reconciler.daemon.notifying import Notifying
    from reconciler.daemon.options import Options

log = structlog.get_logger(__name__)

#: What holds at once; the rest needs a restart, through which workloads run on.
LIVE = ("log", "applications", "notifications", "runtime.process.images")


class Reloader:
    """Knows what holds, and brings it to what the file says now."""

    def __init__(
        self, options: Options, client: Client, notifying: Notifying | None = None
    ) -> None:
        self._options = options
        self._client = client
        self._notifying = notifying

    @property
    def config(self) -> Config:
        """What holds now."""
        return self._options.config

    async def reload(self) -> str:
        """Read the file again; returns in one line what came of it. Raises nothing.

        One mistake anywhere and nothing changes.
        """
        running = self._options.config
        try:
            options = self._options.again()
            seeded = seeds.read(options.config.applications)
            if self._notifying is not None:
                self._notifying.configure(options.config.notifications)
        except ConfigError as error:
            log.error("configuration not reloaded: what held before still holds", error=str(error))  # noqa: TRY400 - the traceback says nothing
            return "running with the old configuration: the new one is invalid"
        keys = changed(running, options.config)
        waiting = [k for k in keys if not any(k == p or k.startswith(f"{p}.") for p in LIVE)]
        config = options.config
        configure(config.log.level, json=config.log.format == "json")
        self._options = self._options._replace(config=_with_live(running, config))
        try:
            await seeds.apply(self._client, seeded)
        except ReconcilerError as error:
            log.error("an Application of the configuration is refused", error=str(error))  # noqa: TRY400
            return f"running; an Application of the configuration is refused: {error}"
        log.info("configuration reloaded", changed=", ".join(k for k in keys if k not in waiting))
        if waiting:
            log.warning("changes that hold after a restart", changed=", ".join(waiting))
            return f"running; {', '.join(waiting)} will hold after a restart"
        return "running"


def _with_live(running: Config, new: Config) -> Config:
    """Return what holds from now on: of the new configuration what is in ``LIVE``."""
    replace = msgspec.structs.replace
    process = replace(running.runtime.process, images=new.runtime.process.images)
    return replace(
        running, log=new.log, applications=new.applications, notifications=new.notifications,
        runtime=replace(running.runtime, process=process),
    )  # fmt: skip


def changed(old: Config, new: Config) -> list[str]:
    """Return the keys, as ``network.httpPort``, in which two configurations differ."""
    before, after = _flat(msgspec.to_builtins(old)), _flat(msgspec.to_builtins(new))
    return sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, below in value.items():
        found |= _flat(below, f"{prefix}.{key}" if prefix else str(key))
    return found
