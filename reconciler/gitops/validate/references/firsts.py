"""Who was the first of many by what it is: a table of hashes, some twenty bytes an entry. Pure."""

from __future__ import annotations

from array import array

#: Of so many slots at most two thirds are taken, at first; a power of two.
_SLOTS = 64


class Firsts:
    """Numbers by hashes of 64 bits, Python's own, whose seed nobody knows: of a million, two meet once in 10**7 runs.

    Open addressing with linear probing: a slot holds an entry's number from 1, or 0.
    """

    __slots__ = ("_hashes", "_numbers", "_slots")

    def __init__(self) -> None:
        self._hashes = array("q")
        self._numbers = array("I")
        self._slots = array("I", bytes(4 * _SLOTS))

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, hashed: int) -> int | None:
        """Return the number that was added with a hash."""
        slots, hashes, mask = self._slots, self._hashes, len(self._slots) - 1
        at = hashed & mask
        while entry := slots[at]:
            if hashes[entry - 1] == hashed:
                return self._numbers[entry - 1]
            at = (at + 1) & mask
        return None

    def add(self, hashed: int, number: int) -> int:
        """Return the number that was added with a hash; where there is none, add this one."""
        first = self.find(hashed)
        if first is not None:
            return first
        self._hashes.append(hashed)
        self._numbers.append(number)
        if len(self._hashes) * 3 > len(self._slots) * 2:
            self._grow()
        else:
            self._take(hashed, len(self._hashes))
        return number

    def _take(self, hashed: int, entry: int) -> None:
        slots, mask = self._slots, len(self._slots) - 1
        at = hashed & mask
        while slots[at]:
            at = (at + 1) & mask
        slots[at] = entry

    def _grow(self) -> None:
        self._slots = array("I", bytes(8 * len(self._slots)))
        for entry, hashed in enumerate(self._hashes, 1):
            self._take(hashed, entry)
