"""``reconciler.yaml``: what a daemon is told beyond its flags. Every key is checked, with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What to run on this host for a container that names no command: ``image`` is a pattern (``nginx:*``)."""

    image: str
    command: tuple[str, ...]
    env: dict[str, str] = {}
    working_dir: str = ""


class ProcessRuntimeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``process`` runtime."""

    images: tuple[Image, ...] = ()


class RuntimeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The runtimes."""

    process: ProcessRuntimeConfig = ProcessRuntimeConfig()


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    runtime: RuntimeConfig = RuntimeConfig()


def load(path: Path) -> Config:
    """Read a configuration file; raises ``ConfigError`` that says file:line and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text) or {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: {error.problem}") from error
    try:
        return msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        line = _line(node, at.rstrip("`"))
        raise ConfigError(f"{path}:{line}: {message} (at {at.strip('`.') or 'the top'})") from error


def _line(node: Any, path: str) -> int:
    """Return the line of a msgspec error path such as ``.runtime.process.images[0]``."""
    for part in path.replace("[", ".").replace("]", "").strip(".").split("."):
        if isinstance(node, yaml.MappingNode):
            found = next((v for k, v in node.value if k.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            found = node.value[int(part)]
        else:
            found = None
        if found is None:
            break
        node = found
    return int(node.start_mark.line) + 1 if node is not None else 1
