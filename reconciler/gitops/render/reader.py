"""YAML as Kubernetes reads it (YAML 1.1 through sigs.k8s.io/yaml), with the position of every key. Pure.

Stricter than YAML where a cluster's tools are: a key that stands twice is an error. Untrusted: aliases are counted,
depth is limited, and no tag makes anything but JSON.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import yaml

from reconciler.gitops.finding import Finding

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML without libyaml: slower, the same answers
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

#: Nodes that the aliases of one document may bring in again, and how deep nodes may lie.
MOST_NODES = 200_000
DEEPEST = 100

Path = tuple[str | int, ...]
Marks = dict[Path, tuple[int, int]]

_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")


class Read(NamedTuple):
    """One document of a file: its value, where it begins, and its marks."""

    value: Any
    line: int
    column: int
    marks: Marks


class _Refused(Exception):
    def __init__(self, rule: str, message: str, mark: Any) -> None:
        super().__init__(message)
        self.rule = rule
        self.mark = mark


def read(text: str, file: str) -> tuple[list[Read], list[Finding]]:
    """Return a file's documents, as far as they can be read, and what is wrong."""
    documents: list[Read] = []
    loader = Loader(text)
    budget = _Budget()
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            marks: Marks = {}
            value = _build(node, (), marks, budget, 0)
            mark = node.start_mark
            documents.append(Read(value, mark.line + 1, mark.column + 1, marks))
    except _Refused as refused:
        return documents, [_finding(refused.rule, str(refused), refused.mark, file)]
    except yaml.MarkedYAMLError as error:
        message = " ".join(p for p in (error.context, error.problem) if p) or "it is not YAML"
        return documents, [
            _finding("syntax/yaml", message, error.problem_mark or error.context_mark, file)
        ]
    except yaml.YAMLError as error:
        return documents, [_finding("syntax/yaml", str(error).splitlines()[0], None, file)]
    except RecursionError:
        return documents, [_finding("syntax/depth", f"deeper than {DEEPEST} levels", None, file)]
    finally:
        loader.dispose()
    return documents, []


def _finding(rule: str, message: str, mark: Any, file: str) -> Finding:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Finding(rule, "error", message, file, line, column)


class _Budget:
    """Counts nodes that are reached once more, through an alias."""

    def __init__(self) -> None:
        self._left = MOST_NODES
        self._seen: set[int] = set()

    def take(self, node: Any) -> None:
        if id(node) not in self._seen:
            self._seen.add(id(node))
            return
        self._left -= 1
        if self._left < 0:
            raise _Refused(
                "syntax/alias-bomb",
                f"aliases expand to more than {MOST_NODES} values",
                node.start_mark,
            )


def _build(node: Any, path: Path, marks: Marks, budget: _Budget, depth: int) -> Any:
    budget.take(node)
    if depth > DEEPEST:
        raise _Refused("syntax/depth", f"deeper than {DEEPEST} levels", node.start_mark)
    if path not in marks:
        marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, marks, budget, depth)
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(item, (*path, index), marks, budget, depth + 1)
            for index, item in enumerate(node.value)
        ]
    return _scalar(node)


def _mapping(
    node: yaml.MappingNode, path: Path, marks: Marks, budget: _Budget, depth: int
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge" or (
            key_node.value == "<<"
            and key_node.style is None
            and isinstance(key_node, yaml.ScalarNode)
        ):
            for part in _merged(value_node, path, budget, depth):
                merged = {**part, **merged}
            continue
        key = _key(key_node)
        if key in seen:
            first = seen[key].start_mark.line + 1
            raise _Refused(
                "syntax/duplicate-key",
                f'key "{key}" is already set in this mapping (line {first})', key_node.start_mark,
            )  # fmt: skip
        seen[key] = key_node
        inside = (*path, key)
        marks[inside] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        result[key] = _build(value_node, inside, marks, budget, depth + 1)
    return {**merged, **result} if merged else result


def _merged(node: Any, path: Path, budget: _Budget, depth: int) -> list[dict[str, Any]]:
    """Return the mappings that a merge key brings in, first one first."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    found = []
    for one in nodes:
        if not isinstance(one, yaml.MappingNode):
            raise _Refused(
                "syntax/yaml", "<< needs a mapping, or a list of mappings", one.start_mark
            )
        found.append(_mapping(one, path, {}, budget, depth + 1))
    return found


def _key(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Refused("syntax/key", "a key must be text", node.start_mark)
    value = _scalar(node)
    if value is None:
        raise _Refused("syntax/key", "a key must not be null", node.start_mark)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _scalar(node: Any) -> Any:
    text: str = node.value
    tag = node.tag
    if tag == "tag:yaml.org,2002:str" or (node.style is not None and tag in (None, "!")):
        return text
    if tag == "tag:yaml.org,2002:binary":
        return text
    if tag and not tag.startswith("tag:yaml.org,2002:"):
        raise _Refused("syntax/tag", f"the tag {tag} means nothing here", node.start_mark)
    return _plain(text, node)


def _plain(text: str, node: Any) -> Any:
    """Read a scalar without quotes, by YAML 1.1's rules as go-yaml v2 applies them."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.match(text):
        return _integer(text)
    if _FLOAT.match(text):
        number = float(text)
        if math.isinf(number):
            raise _Refused(
                "syntax/number", f"{text} is not a number that JSON can hold", node.start_mark
            )
        return number
    if text.lower().lstrip("+-") in (".inf", ".nan"):
        raise _Refused(
            "syntax/number", f"{text} is not a number that JSON can hold", node.start_mark
        )
    return text


def _integer(text: str) -> int | str:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").replace("_", "")
    try:
        if digits.startswith(("0b", "0x")):
            return sign * int(digits, 0)
        if digits.startswith("0o"):
            return sign * int(digits, 0)
        if len(digits) > 1 and digits.startswith("0"):
            return sign * int(digits, 8)
        return sign * int(digits)
    except ValueError:
        return text
