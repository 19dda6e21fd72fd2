"""What an API server enforces beyond a schema, one function a subject. Pure; the registry and ``validate`` share it.

``problems(obj)`` yields what is wrong with one object by itself, with the path to the culprit. It expects an object
that its schema accepts, and never raises on one that it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.rules import pods, services, storage, workloads
from reconciler.api.rules.problem import Problem
from reconciler.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.api.objects import Object

__all__ = ["Problem", "check", "problems"]

_BY_KIND: dict[tuple[str, str], Callable[[Object], Iterator[Problem]]] = {
    ("v1", "Pod"): pods.pod,
    ("apps/v1", "Deployment"): workloads.deployment,
    ("apps/v1", "ReplicaSet"): workloads.workload,
    ("apps/v1", "StatefulSet"): workloads.stateful_set,
    ("v1", "Service"): services.service,
    ("networking.k8s.io/v1", "Ingress"): services.ingress,
    ("v1", "PersistentVolumeClaim"): storage.claim,
    ("v1", "PersistentVolume"): storage.volume,
    ("v1", "ConfigMap"): storage.config,
    ("v1", "Secret"): storage.config,
}


def problems(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with an object."""
    rule = _BY_KIND.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
    if rule is None:
        return
    try:
        yield from rule(obj)
    except (TypeError, AttributeError, KeyError):
        # A part has the wrong type: its schema says so, better than a rule that cannot read it.
        return


def check(obj: Object) -> tuple[Cause, ...]:
    """Return the problems as an API error's causes."""
    return tuple(Cause(p.reason, p.message, p.field) for p in problems(obj))
