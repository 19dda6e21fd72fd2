"""How long evaluating rules may take: foretold of the sizes of a rule and its value, before it is asked.

The library stops a rule after 10,000 steps of its loops, but one step may copy the whole value. What a rule costs is bounded by
the steps of its loops times the size of the value times the length of the rule; measured, the limit below is about half a second.
"""

from __future__ import annotations

import re
from typing import Any

from reconciler.api.schemas.cel.engine import Unknown

#: What one object's rules may cost together, in characters copied.
MOST = 200_000_000
#: Loops end here by the library's own limit.
_STEPS = 10_000
#: Copying an item of a list or map costs as much as so many characters.
_ITEM = 100
_LONGEST_RULE = 10_000
_LOOP = re.compile(r"\.(?:all|exists|exists_one|map|filter)\s*\(")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


class Budget:
    """What is left for one object."""

    def __init__(self, left: int = MOST) -> None:
        self._left = left

    def spend(self, rule: str, value: Any) -> None:
        """Count a rule that is about to be asked of a value. Raises ``Unknown`` where it would take too long."""
        if len(rule) > _LONGEST_RULE:
            raise Unknown("it is too long")
        items, size = _measured(value)
        steps = min(_STEPS, max(2, items) ** depth(rule))
        cost = steps * (size + 200) * (1 + len(rule) // 200)
        if cost > self._left:
            raise Unknown("it would take too long")
        self._left -= cost


def depth(rule: str) -> int:
    """Return how deep loops are nested in a rule.

    >>> depth("self.a.all(x, self.b.exists(y, x == y)) && self.c.all(z, z > 0)"), depth("self.a == ').all('")
    (2, 0)
    """
    plain = _TEXT.sub('""', rule)
    opens = {match.end() - 1 for match in _LOOP.finditer(plain)}
    most = 0
    open_: list[bool] = []
    for index, character in enumerate(plain):
        if character == "(":
            open_.append(index in opens)
            most = max(most, sum(open_))
        elif character == ")" and open_:
            open_.pop()
    return most


def _measured(value: Any) -> tuple[int, int]:
    """Return how many items a value's lists and maps have in all, and its size as in characters."""
    items = size = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            items += len(one)
            size += sum(_ITEM + len(k) for k in one if isinstance(k, str))
            waiting += one.values()
        elif isinstance(one, list):
            items += len(one)
            size += _ITEM * len(one)
            waiting += one
        else:
            size += len(one) if isinstance(one, str | bytes) else 8
    return items, size
