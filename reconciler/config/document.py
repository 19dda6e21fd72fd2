"""A YAML file as plain data that remembers where each value stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Position = tuple[int, int]
PathElement = str | int
#: A configuration is written by hand: what is larger than this (bytes, nodes) is something else.
LARGEST = 1 << 20
MOST_NODES = 100_000

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null", "str")}


class Document(NamedTuple):
    """``data`` is JSON-native; ``places`` has the (line, column) of every value and key, by its path."""

    path: Path
    data: Any
    places: dict[tuple[PathElement, ...], Position]

    def where(self, path: tuple[PathElement, ...]) -> str:
        """Return ``file:line:column`` of a path, or of the nearest one above it."""
        while path and path not in self.places:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return f"{self.path}:{line}:{column}"


def read(path: Path) -> Document:
    """Read one YAML document. Raises ``ConfigError`` with file:line:column."""
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(
                f"{path} is larger than {LARGEST >> 20} MiB: that is no configuration"
            )
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {path}: it is not UTF-8") from error
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        walk = _Walk(path, loader)
        data = {} if node is None else walk.value(node, ())
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", "") or "nested too deep"
        raise ConfigError(f"{path}{where}: {why}") from error
    finally:
        loader.dispose()
    return Document(path, {} if data is None else data, walk.places)


class _Walk:
    """From nodes to data. Aliases are expanded; ``MOST_NODES`` bounds what comes of that."""

    def __init__(self, path: Path, loader: yaml.SafeLoader) -> None:
        self._path = path
        self._loader = loader
        self._seen = 0
        self.places: dict[tuple[PathElement, ...], Position] = {}

    def value(self, node: yaml.Node, path: tuple[PathElement, ...]) -> Any:
        self._seen += 1
        if self._seen > MOST_NODES:
            raise ConfigError(
                f"{self._path}: more than {MOST_NODES} values: that is no configuration"
            )
        self.places.setdefault(path, _position(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        if node.tag in _PLAIN_TAGS:
            return self._loader.construct_object(node)
        return node.value

    def _mapping(self, node: yaml.MappingNode, path: tuple[PathElement, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line, column = _position(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{self._path}:{line}:{column}: a key must be a word")
            key = str(key_node.value)
            if key in found:
                first = self.places[(*path, key)][0]
                raise ConfigError(
                    f'{self._path}:{line}:{column}: "{key}" is given twice, first in line {first}'
                )
            self.places[(*path, key)] = (line, column)
            found[key] = self.value(value_node, (*path, key))
        # A key without a value is as if it were not there, as in a manifest.
        return {key: value for key, value in found.items() if value is not None}


def _position(node: yaml.Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1
