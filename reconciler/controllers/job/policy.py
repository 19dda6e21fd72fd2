"""What a Job's policies say of failed Pods and of succeeded indexes (KEP-3329, KEP-3998)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import name_of, namespace_of
from reconciler.controllers.job.indexes import parse

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from reconciler.api.objects import Object

COUNT, IGNORE, FAIL_JOB, FAIL_INDEX = "Count", "Ignore", "FailJob", "FailIndex"


class Verdict(NamedTuple):
    """What the first matching rule does with a failed Pod, and why in words."""

    action: str = COUNT
    message: str = ""


def on_failure(job: Object, pod: Object) -> Verdict:
    """Judge a failed Pod by podFailurePolicy; without a matching rule it counts."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        action = str(rule.get("action") or COUNT)
        what = _exit_code(pod, rule["onExitCodes"]) if rule.get("onExitCodes") else ""
        what = what or _condition(pod, rule.get("onPodConditions") or ())
        if what:
            return Verdict(action, f"{what} matching {action} rule at index {number}")
    return Verdict()


def _exit_code(pod: Object, wanted: dict[str, Any]) -> str:
    status = pod.get("status") or {}
    values, inside = wanted.get("values") or (), wanted.get("operator") == "In"
    for container in (
        *(status.get("containerStatuses") or ()),
        *(status.get("initContainerStatuses") or ()),
    ):
        if wanted.get("containerName") not in (None, container.get("name")):
            continue
        ended = (container.get("state") or {}).get("terminated")
        code = int(ended.get("exitCode") or 0) if ended else 0
        if code and (code in values) is inside:
            where = f"{namespace_of(pod)}/{name_of(pod)}"
            return f"Container {container.get('name')} for pod {where} failed with exit code {code}"
    return ""


def _condition(pod: Object, patterns: Any) -> str:
    for pattern in patterns:
        for found in (pod.get("status") or {}).get("conditions") or ():
            same = found.get("type") == pattern.get("type")
            if same and found.get("status") == (pattern.get("status") or "True"):
                where = f"{namespace_of(pod)}/{name_of(pod)}"
                return f"Pod {where} has condition {found['type']}"
    return ""


def success_rule(job: Object, completed: AbstractSet[int]) -> int | None:
    """Return the number of the successPolicy's rule that the succeeded indexes meet, or None."""
    completions = int(job["spec"].get("completions") or 0)
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        count = rule.get("succeededCount")
        if rule.get("succeededIndexes") is not None:
            wanted = parse(rule["succeededIndexes"], completions)
            met = wanted & completed
            if len(met) >= (len(wanted) if count is None else int(count)):
                return number
        elif count is not None and len(completed) >= int(count):
            return number
    return None
