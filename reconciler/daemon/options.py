"""What a daemon is started with: the command line's flags over ``reconciler.yaml`` over the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from reconciler.config import Config, load
from reconciler.errors import BadRequest, ConfigError
from reconciler.gitops.validate import Asked, Checks, checks_of

#: Read from the working directory where nobody names another.
DEFAULT_FILE = Path("reconciler.yaml")

#: Where in the configuration each flag's value goes: section, field, and the field's name in the file.
_PLACES = {
    "runtime": ("runtime", "name", "name"),
    "listen": ("network", "listen", "listen"),
    "http_port": ("network", "http_port", "httpPort"),
    "https_port": ("network", "https_port", "httpsPort"),
    "pod_cidr": ("network", "pod_cidr", "podCIDR"),
    "service_cidr": ("network", "service_cidr", "serviceCIDR"),
    "log_level": ("log", "level", "level"),
    "log_format": ("log", "format", "format"),
    "metrics_listen": ("metrics", "listen", "listen"),
}


class Flags(NamedTuple):
    """What the command line said; None: it did not. Each has the name of its flag."""

    runtime: str | None = None
    listen: str | None = None
    http_port: int | None = None
    https_port: int | None = None
    pod_cidr: str | None = None
    service_cidr: str | None = None
    log_level: str | None = None
    log_format: str | None = None
    metrics_listen: str | None = None
    config: Path | None = None

    def argv(self) -> list[str]:
        """Return these flags as arguments of ``reconciler daemon``."""
        given = {name: value for name, value in self._asdict().items() if value is not None}
        return [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]


class Options(NamedTuple):
    """``config`` is what holds: the file's content with the flags put over it; ``checks`` is what syncs check."""

    state_dir: Path
    config: Config = Config()
    flags: Flags = Flags()
    checks: Checks = Checks()

    def again(self) -> Options:
        """Read the file again; raises ``ConfigError``."""
        return resolve(self.state_dir, self.flags)


def resolve(state_dir: Path, flags: Flags = Flags()) -> Options:  # noqa: B008 - immutable
    """Read the configuration file, if there is one, and put the flags over it. Raises ``ConfigError``."""
    file = flags.config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    if file is not None:
        # Whoever reads it again later must find the same one, wherever it works.
        flags = flags._replace(config=file.expanduser().absolute())
    config = load(flags.config) if flags.config is not None else Config()
    try:
        checks = checks_of(Asked(**config.validate.asked()))
    except BadRequest as error:
        raise ConfigError(f"{flags.config}: validate: {error}") from error
    return Options(state_dir, _put_over(config, flags), flags, checks)


def _put_over(config: Config, flags: Flags) -> Config:
    sections: dict[str, Any] = {}
    for flag, (section, field, _) in _PLACES.items():
        value = getattr(flags, flag)
        if value is not None:
            current = sections.get(section) or getattr(config, section)
            sections[section] = replace(current, **{field: value})
    for section, value in sections.items():
        for at, why in value.mistakes() if hasattr(value, "mistakes") else ():
            flag = next(f for f, (s, _, n) in _PLACES.items() if (s, n) == (section, at[0]))
            raise ConfigError(f"--{flag.replace('_', '-')}: {why}")
    return replace(config, **sections)
