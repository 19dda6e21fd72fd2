"""Rules of what makes Pods: selectors, templates, strategies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.api import selectors
from reconciler.api.rules.pods import pod_spec
from reconciler.api.rules.problem import Problem, forbidden, invalid, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_PERCENT = re.compile(r"[0-9]+%\Z")
_TEMPLATE = ("spec", "template")


def workload(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with anything that has replicas, a selector and a template."""
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector")
    if not selector:
        yield required(("spec", "selector"))
    elif not selectors.from_object(selector).matches(labels):
        yield invalid(
            (*_TEMPLATE, "metadata", "labels"),
            labels,
            "`selector` does not match template `labels`",
        )
    for field in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        value = spec.get(field)
        if isinstance(value, int) and value < 0:
            yield invalid(("spec", field), value, "must be greater than or equal to 0")
    pod = template.get("spec") or {}
    claims = [
        str((c.get("metadata") or {}).get("name")) for c in spec.get("volumeClaimTemplates") or ()
    ]
    yield from pod_spec(pod, (*_TEMPLATE, "spec"), claims=claims)
    policy = pod.get("restartPolicy", "Always")
    if policy != "Always":
        yield Problem(
            (*_TEMPLATE, "spec", "restartPolicy"), "FieldValueNotSupported",
            f'Unsupported value: "{policy}": supported values: "Always"',
        )  # fmt: skip
    if "activeDeadlineSeconds" in pod:
        yield forbidden(
            (*_TEMPLATE, "spec", "activeDeadlineSeconds"),
            "activeDeadlineSeconds in ReplicaSet is not Supported",
        )


def deployment(obj: Object) -> Iterator[Problem]:
    yield from workload(obj)
    spec = obj.get("spec") or {}
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate")
    path = ("spec", "strategy", "rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        yield forbidden(path, "may not be specified when strategy `type` is 'Recreate'")
    values = {f: (rolling or {}).get(f) for f in ("maxSurge", "maxUnavailable")}
    for field, value in values.items():
        yield from _int_or_percent(value, (*path, field))
    if rolling and all(v in (0, "0%") for v in values.values()):
        yield invalid((*path, "maxUnavailable"), 0, "may not be 0 when `maxSurge` is 0")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if deadline is not None and deadline <= ready:
        yield invalid(
            ("spec", "progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds"
        )


def _int_or_percent(value: Any, path: tuple[str, ...]) -> Iterator[Problem]:
    if isinstance(value, str) and not _PERCENT.match(value):
        yield invalid(
            path, value,
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%')",
        )  # fmt: skip
    elif isinstance(value, int) and value < 0:
        yield invalid(path, value, "must be greater than or equal to 0")


def stateful_set(obj: Object) -> Iterator[Problem]:
    yield from workload(obj)
    spec = obj.get("spec") or {}
    update = spec.get("updateStrategy") or {}
    if update.get("type") == "OnDelete" and update.get("rollingUpdate") is not None:
        yield invalid(
            ("spec", "updateStrategy", "rollingUpdate"), update["rollingUpdate"],
            'only allowed for updateStrategy "RollingUpdate"',
        )  # fmt: skip
    partition = (update.get("rollingUpdate") or {}).get("partition")
    if partition is not None and partition < 0:
        yield invalid(
            ("spec", "updateStrategy", "rollingUpdate", "partition"), partition,
            "must be greater than or equal to 0",
        )  # fmt: skip
