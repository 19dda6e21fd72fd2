"""What a supervisor and a daemon can say to each other, by number: after an upgrade they are of different versions.

A supervisor says in its ``info`` which protocol it speaks and which is the oldest that it still answers. One that says
nothing was made before there were numbers: it speaks 1. A new operation, or a new field that may be left out, needs no new
number; one that a daemon cannot do without, or another meaning, does.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Protocol(NamedTuple):
    """``speaks``: what this side speaks; ``oldest``: what it still understands of the other side."""

    speaks: int
    oldest: int

    def __str__(self) -> str:
        return str(self.speaks) if self.speaks == self.oldest else f"{self.oldest} to {self.speaks}"

    def understands(self, other: Protocol) -> bool:
        """Whether there is a number that both sides know.

        >>> Protocol(3, 2).understands(Protocol(2, 1)), Protocol(3, 3).understands(Protocol(2, 1))
        (True, False)
        """
        return self.speaks >= other.oldest and other.speaks >= self.oldest


#: This version's. Since 2 a supervisor honours all of ``cri.Security`` and of ``cri.Mount``: see ``compatibility``.
OURS = Protocol(speaks=2, oldest=1)


def told(info: dict[str, Any]) -> Protocol:
    """Return what a supervisor's ``info`` says of its protocol."""
    speaks = info.get("protocol", 1)
    return Protocol(speaks, info.get("oldest_protocol", speaks))
