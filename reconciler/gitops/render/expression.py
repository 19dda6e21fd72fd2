"""``${VAR}`` in a text, as Flux's postBuild reads it (drone/envsubst): names, defaults, ``$${`` for a literal one. Pure.

::

    ${VAR}             the value; empty where there is none
    ${VAR:-default}    the default where it is unset or empty (also written :=)
    ${VAR-default}     the default where it is unset (also written =)
    $${VAR}            the text ${VAR}

A default may hold expressions of its own. ``$VAR`` without braces is text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: A text may grow to so many characters, and defaults may stand in one another so deep.
LONGEST = 1024 * 1024
DEEPEST = 8

_OPENING = re.compile(r"\$\$\{|\$\{")
_INSIDE = re.compile(r"\$\$\{|\$\{|\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":-|:=|-|=")


class Malformed(Exception):
    """A text cannot be substituted; ``offset`` is the character where the expression begins."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Undefined(NamedTuple):
    """A name that nobody gave, without a default, and the character where its expression begins."""

    name: str
    offset: int


def is_name(text: str) -> bool:
    """Whether an expression can name it."""
    return _NAME.fullmatch(text) is not None


def substituted(text: str, variables: Mapping[str, str]) -> tuple[str, list[Undefined]]:
    """Return a text with its expressions replaced, and the names that are undefined. Raises ``Malformed``.

    Values are text: what they hold is not looked at again.
    """
    undefined: list[Undefined] = []
    parser = _Parser(text, variables, lambda name, at: undefined.append(Undefined(name, at)))
    return parser.whole(), undefined


class _Parser:
    def __init__(
        self, text: str, variables: Mapping[str, str], missing: Callable[[str, int], None]
    ) -> None:
        self._text = text
        self._variables = variables
        self._missing = missing
        self._at = 0
        self._size = 0

    def whole(self) -> str:
        return self._until(_OPENING, 0, used=True)

    def _until(self, stop: re.Pattern[str], depth: int, *, used: bool) -> str:
        """Read up to the closing brace (or the end, at the top); ``used``: whether what is read will stand there."""
        pieces: list[str] = []
        while True:
            found = stop.search(self._text, self._at)
            if found is None:
                if depth:
                    raise Malformed("the expression is not closed with }", self._at)
                pieces.append(self._kept(self._text[self._at :]))
                return "".join(pieces)
            pieces.append(self._kept(self._text[self._at : found.start()]))
            self._at = found.end()
            if found[0] == "}":
                return "".join(pieces)
            if found[0] == "$${":
                pieces.append("${")
            else:
                pieces.append(self._kept(self._expression(found.start(), depth + 1, used=used)))

    def _kept(self, piece: str) -> str:
        self._size += len(piece)
        if self._size > LONGEST:
            raise Malformed(f"grows beyond {LONGEST} characters", self._at)
        return piece

    def _expression(self, begin: int, depth: int, *, used: bool) -> str:
        if depth > DEEPEST:
            raise Malformed(f"expressions stand in one another more than {DEEPEST} deep", begin)
        name = _NAME.match(self._text, self._at)
        if name is None:
            raise Malformed("expected a name after ${; write $${ for the text ${", begin)
        self._at = name.end()
        value = self._variables.get(name[0])
        if self._text.startswith("}", self._at):
            self._at += 1
            if value is None and used:
                self._missing(name[0], begin)
            return value or ""
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            raise Malformed(f"expected }}, :- or := after ${{{name[0]}; write $${{ for the text ${{", begin)  # fmt: skip
        self._at = operator.end()
        replaces = not value if operator[0].startswith(":") else value is None
        try:
            default = self._until(_INSIDE, depth, used=used and replaces)
        except Malformed as malformed:
            raise Malformed(str(malformed), begin) from malformed
        return default if replaces or value is None else value
