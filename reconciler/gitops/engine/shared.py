"""What all Applications' loops share: the ways in and out of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from reconciler.gitops.validate import Checks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.api.client import Client
    from reconciler.api.objects import Object
    from reconciler.clock import Clock, Entropy
    from reconciler.control import InformerCache, Recorder
    from reconciler.gitops.engine.claims import Claims
    from reconciler.gitops.engine.outcomes import Outcomes
    from reconciler.gitops.engine.policy.settings import Retention
    from reconciler.gitops.history import History
    from reconciler.gitops.render.sops import Identities
    from reconciler.gitops.source import Source

T = TypeVar("T")


class Aside(Protocol):
    """Runs what takes the processor, or a disk, for long: where others can go on meanwhile."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Return what ``work()`` returns, or raise what it raises."""
        ...


class Tail(Protocol):
    """The last lines of a container's log; an empty ``container`` is the Pod's only one, or its default."""

    async def __call__(self, namespace: str, pod: str, container: str, lines: int, /) -> list[str]:
        """Return them, the oldest first; none where there is no log."""
        ...


async def at_once(work: Callable[[], T], /) -> T:
    """Run it here: an ``Aside`` for simulations, where time stands still meanwhile."""
    return work()


async def no_log(_namespace: str, _pod: str, _container: str, _lines: int, /) -> list[str]:
    """Know of no log: a ``Tail`` where no node agent is near."""
    return []


class Shared(NamedTuple):
    """Handed to every loop. ``mask`` is the key under which diffs hide values of Secrets.

    ``identities`` open encrypted documents; ``scratch`` is where Kustomize and Helm get a copy of the source.
    """

    client: Client
    cache: InformerCache
    clock: Clock
    entropy: Entropy
    recorder: Recorder
    honoured: frozenset[str] | None
    source_for: Callable[[Object], Source]
    mask: bytes
    outcomes: Outcomes
    history: History
    retention: Retention
    claims: Claims
    aside: Aside
    tail: Tail
    checks: Checks = Checks()
    identities: Identities | None = None
    scratch: Path | None = None
