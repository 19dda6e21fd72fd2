"""What all Applications' loops share: the ways in and out of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.api.client import Client
    from reconciler.api.objects import Object
    from reconciler.clock import Clock, Entropy
    from reconciler.control import InformerCache, Recorder
    from reconciler.gitops.engine.outcomes import Outcomes
    from reconciler.gitops.render.sops import Identities
    from reconciler.gitops.source import Source


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
    identities: Identities | None = None
    scratch: Path | None = None
