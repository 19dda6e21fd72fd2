"""What a document is for others, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reconciler.api.objects import Key
    from reconciler.gitops.render.reader import Path

Pairs = tuple[tuple[str, str], ...]


class Part(NamedTuple):
    """Something that the object referred to must have: a key of a ConfigMap, a port of a Service."""

    wanted: str | int
    path: Path


class Reference(NamedTuple):
    """One object named by another; ``path`` is where."""

    key: Key
    path: Path
    rule: str
    severity: str = "error"
    parts: tuple[Part, ...] = ()
    why: str = ""


class Route(NamedTuple):
    """What an Ingress claims: a host, a path and its type; where they lead, and where that stands."""

    claim: tuple[str, str, str]
    backend: str
    path: Path


class Facts(NamedTuple):
    """What one document is and asks for."""

    key: Key
    references: tuple[Reference, ...] = ()
    selector: Pairs = ()  # a Service's, or a PodDisruptionBudget's
    labels: Pairs | None = None  # of the Pods that it is or makes
    ports: frozenset[str] = frozenset()  # names of the ports of those Pods
    target_ports: tuple[Part, ...] = ()  # names that a Service sends to
    routes: tuple[Route, ...] = ()
    node_ports: tuple[Part, ...] = ()  # ``TCP/30080``
    scales: Key | None = None
    makes: tuple[Key, ...] = ()  # what others will make because of it
