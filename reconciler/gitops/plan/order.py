"""The order that objects have by what they are: phases, sync waves, kinds (Argo CD's)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import annotations_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object

WAVE_ANNOTATIONS = (
    "reconciler.dev/sync-wave",
    "argocd.argoproj.io/sync-wave",
    "helm.sh/hook-weight",
)

#: Kinds in the order they are applied in; what is not named comes last, before Ingress.
_KIND_ORDER = (
    "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PriorityClass", "PodDisruptionBudget",
    "ServiceAccount", "Secret", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim",
    "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Service",
    "DaemonSet", "Pod", "ReplicationController", "ReplicaSet", "Deployment", "HorizontalPodAutoscaler",
    "StatefulSet", "Job", "CronJob", "IngressClass",
)  # fmt: skip
_PLACE = {kind: index for index, kind in enumerate(_KIND_ORDER)}
_AFTER_ALL = len(_KIND_ORDER) + 1
_LAST = {"Ingress": _AFTER_ALL, "APIService": _AFTER_ALL + 1}


class Phase(IntEnum):
    """The parts of a sync, in order."""

    PRE_SYNC = 0
    SYNC = 1
    PRUNE = 2
    POST_SYNC = 3


class Stage(NamedTuple):
    """A phase and a wave in it. A prune's wave counts down: what came last goes first."""

    phase: Phase
    wave: int

    def __str__(self) -> str:
        match self.phase:
            case Phase.PRE_SYNC:
                name = "PreSync"
            case Phase.POST_SYNC:
                name = "PostSync"
            case Phase.PRUNE:
                return "prune"
            case _:
                return f"wave {self.wave}"
        return f"{name} {self.wave}" if self.wave else name


def wave_of(obj: Object) -> int:
    """Return an object's sync wave (Argo CD's annotation and Helm's weight are understood); not a number is wave 0."""
    annotations = annotations_of(obj)
    if not annotations:
        return 0
    for name in WAVE_ANNOTATIONS:
        text = annotations.get(name)
        if text is not None:
            try:
                return int(text)
            except ValueError:
                continue
    return 0


def place_of(kind: str) -> int:
    """Return a kind's place in the order of application; the group does not count (Argo CD)."""
    return _LAST.get(kind) or _PLACE.get(kind, _AFTER_ALL - 1)


def is_passive(kind: str) -> bool:
    """Whether objects of a kind are done as soon as they are stored: nothing rolls out."""
    return place_of(kind) <= _PLACE["Service"]
