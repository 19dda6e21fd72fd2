"""Hooks: Jobs and Pods that run around a sync. Pure.

Ours are ``reconciler.dev/hook`` and ``reconciler.dev/hook-delete-policy``; Argo CD's and Helm's annotations mean the
same. A hook is no part of the inventory: it drifts not and is not pruned.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import conditions
from reconciler.api.objects import annotations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object

HOOK_ANNOTATIONS = ("reconciler.dev/hook", "argocd.argoproj.io/hook")
POLICY_ANNOTATIONS = (
    "reconciler.dev/hook-delete-policy",
    "argocd.argoproj.io/hook-delete-policy",
    "helm.sh/hook-delete-policy",
)
HELM_HOOK = "helm.sh/hook"


class HookPhase(StrEnum):
    """When a hook runs."""

    PRE_SYNC = "PreSync"
    SYNC = "Sync"
    POST_SYNC = "PostSync"
    SYNC_FAIL = "SyncFail"


class DeletePolicy(StrEnum):
    """When a hook's object is deleted."""

    BEFORE_CREATION = "BeforeHookCreation"
    SUCCEEDED = "HookSucceeded"
    FAILED = "HookFailed"


class Hook(NamedTuple):
    """When an object runs and when it goes. No phase at all: it is never applied by a sync."""

    phases: tuple[HookPhase, ...]
    policies: frozenset[DeletePolicy]


#: Helm's moments by ours. Helm's others (rollback, delete, test) have no sync that they belong to.
_HELM_PHASES = {
    "pre-install": HookPhase.PRE_SYNC,
    "pre-upgrade": HookPhase.PRE_SYNC,
    "post-install": HookPhase.POST_SYNC,
    "post-upgrade": HookPhase.POST_SYNC,
}
_HELM_POLICIES = {
    "before-hook-creation": DeletePolicy.BEFORE_CREATION,
    "hook-succeeded": DeletePolicy.SUCCEEDED,
    "hook-failed": DeletePolicy.FAILED,
}
_PHASES = {str(p): p for p in HookPhase}
_POLICIES = {str(p): p for p in DeletePolicy}


#: What Argo CD and Helm know besides, and what happens at no sync here.
_ELSEWHERE = frozenset({"Skip", "PreDelete", "PostDelete"})
_HELM_ELSEWHERE = frozenset(
    {"pre-delete", "post-delete", "pre-rollback", "post-rollback", "test", "test-success", "crd-install"}
)  # fmt: skip


def words_of(annotation: str) -> frozenset[str]:
    """Return the words that an annotation of hooks takes; empty for an annotation that is about something else."""
    match annotation:
        case "reconciler.dev/hook":
            return frozenset(_PHASES)
        case "argocd.argoproj.io/hook":
            return frozenset(_PHASES) | _ELSEWHERE
        case "helm.sh/hook":
            return frozenset(_HELM_PHASES) | _HELM_ELSEWHERE
        case "reconciler.dev/hook-delete-policy" | "argocd.argoproj.io/hook-delete-policy":
            return frozenset(_POLICIES)
        case "helm.sh/hook-delete-policy":
            return frozenset(_HELM_POLICIES)
    return frozenset()


def hook_of(obj: Object) -> Hook | None:
    """Return what an object's annotations say of it as a hook; None for one that is none (Helm's ``crd-install``, too)."""
    annotations = annotations_of(obj)
    if not annotations:
        return None
    phases = _phases(annotations)
    return None if phases is None else Hook(phases, _policies(annotations))


def _phases(annotations: Mapping[str, str]) -> tuple[HookPhase, ...] | None:
    for name in HOOK_ANNOTATIONS:
        if name in annotations:
            return tuple(
                dict.fromkeys(_PHASES[w] for w in _words(annotations[name]) if w in _PHASES)
            )
    if HELM_HOOK in annotations:
        words = _words(annotations[HELM_HOOK])
        if "crd-install" in words:
            return None
        return tuple(dict.fromkeys(_HELM_PHASES[w] for w in words if w in _HELM_PHASES))
    return None


def _policies(annotations: Mapping[str, str]) -> frozenset[DeletePolicy]:
    for name in POLICY_ANNOTATIONS:
        known = _HELM_POLICIES if name.startswith("helm.sh/") else _POLICIES
        found = frozenset(known[w] for w in _words(annotations.get(name, "")) if w in known)
        if found:
            return found
    return frozenset({DeletePolicy.BEFORE_CREATION})


def _words(text: str) -> list[str]:
    return [w.strip() for w in text.split(",") if w.strip()]


class Outcome(NamedTuple):
    """Whether a hook has ended, and how."""

    done: bool
    succeeded: bool = False
    message: str = ""


def outcome(obj: Object) -> Outcome:
    """Return how far a hook is: a Job or Pod when it has ended, anything else as soon as it is stored."""
    status = obj.get("status") or {}
    match obj.get("apiVersion"), obj.get("kind"):
        case "batch/v1", "Job":
            failed = conditions.find(status.get("conditions"), "Failed")
            if failed and failed.get("status") == "True":
                return Outcome(
                    done=True,
                    message=str(failed.get("message") or failed.get("reason") or "it failed"),
                )
            done = conditions.is_true(obj, "Complete")
            return Outcome(done, done, "" if done else "its Job has not completed")
        case "v1", "Pod":
            phase = status.get("phase")
            if phase == "Failed":
                return Outcome(
                    done=True,
                    message=str(status.get("message") or status.get("reason") or "its Pod failed"),
                )
            done = phase == "Succeeded"
            return Outcome(done, done, "" if done else "its Pod has not ended")
    return Outcome(done=True, succeeded=True)
