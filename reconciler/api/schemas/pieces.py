"""A large object cut into small ones, so that the mistakes of one are found before those of the next. Pure.

The compiled schema tells every mistake at once: a hundred thousand of them take as many times the memory of the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]

#: So many values may one piece hold.
LARGEST = 2000


class Piece(NamedTuple):
    """Some members of one part of an object, alone at their place: of lists above them only the one item is left.

    What a schema says of those members it says of them in the whole, too; what it says of anything above them, as that
    a field is missing, need not be true.
    """

    object: Any
    above: Path  # of the part that the members are of, in the whole
    offset: int = 0  # how many items of a list come before the first

    def path(self, inside: Sequence[str | int]) -> Path | None:
        """Return where a path of the piece leads to in the whole; None where it leads to nothing that is told of here."""
        depth = len(self.above)
        if len(inside) <= depth:
            return None
        member = inside[depth]
        at = member + self.offset if isinstance(member, int) else member
        return (*self.above, at, *inside[depth + 1 :])


def pieces(obj: Any) -> Iterator[Piece]:
    """Yield an object's pieces in the order of its parts; nothing for one that is no larger than a piece."""
    sizes: dict[int, int] = {}
    if _measure(obj, sizes) > LARGEST:
        yield from _cut(obj, (), sizes)


def _measure(value: Any, sizes: dict[int, int]) -> int:
    """Count values, and note the counts of those parts that are larger than a piece."""
    if isinstance(value, dict):
        size = 1 + sum(_measure(v, sizes) for v in value.values())
    elif isinstance(value, list):
        size = 1 + sum(_measure(v, sizes) for v in value)
    else:
        return 1
    if size > LARGEST:
        sizes[id(value)] = size
    return size


def _cut(value: Any, path: Path, sizes: dict[int, int]) -> Iterator[Piece]:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    held: dict[Any, Any] = {}
    size = 0
    for name, member in members:
        if id(member) in sizes:
            if held:
                yield _piece(value, held, path)
                held, size = {}, 0
            yield from _cut(member, (*path, name), sizes)
            continue
        count = _measure(member, {})
        if size + count > LARGEST:
            yield _piece(value, held, path)
            held, size = {}, 0
        held[name] = member
        size += count
    if held:
        yield _piece(value, held, path)


def _piece(value: Any, members: dict[Any, Any], path: Path) -> Piece:
    listed = isinstance(value, list)
    part: Any = list(members.values()) if listed else dict(members)
    for name in reversed(path):
        part = {name: part} if isinstance(name, str) else [part]
    return Piece(part, path, next(iter(members)) if listed else 0)
