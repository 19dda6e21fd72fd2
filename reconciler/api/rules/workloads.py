"""Rules of what makes Pods and keeps them: selectors, templates, strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import names, selectors
from reconciler.api.rules import storage
from reconciler.api.rules.int_or_percent import int_or_percent, is_zero
from reconciler.api.rules.pods import template
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    each,
    forbidden,
    invalid,
    not_negative,
    required,
    unsupported,
)
from reconciler.api.rules.selection import label_selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

#: What a kube-apiserver puts in for ``progressDeadlineSeconds``.
_PROGRESS_DEADLINE = 600
_RETENTION = ("Delete", "Retain")
_TEMPLATE = ("spec", "template")
_ROLLING = ("spec", "strategy", "rollingUpdate")
_UPDATE = ("spec", "updateStrategy", "rollingUpdate")


def replica_set(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a ReplicaSet."""
    yield from _workload(obj)
    yield from not_negative(
        "replicas", below(obj, "spec"), ("spec",), "replicas", "minReadySeconds"
    )


def replication_controller(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a ReplicationController; without a selector it takes the labels of its template."""
    spec = below(obj, "spec")
    held = below(spec, "template")
    labels = below(held, "metadata").get("labels") or {}
    selector = spec.get("selector") or labels
    if not selector:
        yield required("selector", ("spec", "selector"))
    elif any(labels.get(k) != v for k, v in selector.items()):
        told = "`selector` does not match template `labels`"
        yield invalid("selector-match", (*_TEMPLATE, "metadata", "labels"), labels, told)
    yield from template(held, _TEMPLATE)
    yield from _always(obj)
    yield from not_negative("replicas", spec, ("spec",), "replicas", "minReadySeconds")


def deployment(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a Deployment."""
    yield from _workload(obj)
    spec = below(obj, "spec")
    yield from not_negative(
        "replicas",
        spec,
        ("spec",),
        "replicas",
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
    )
    strategy = below(spec, "strategy")
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        told = "may not be specified when strategy `type` is 'Recreate'"
        yield forbidden("update-strategy", _ROLLING, told)
    elif rolling:
        surge, unavailable = rolling.get("maxSurge"), rolling.get("maxUnavailable")
        yield from int_or_percent(
            unavailable, (*_ROLLING, "maxUnavailable"), rule="update-strategy", whole=True
        )
        yield from int_or_percent(surge, (*_ROLLING, "maxSurge"), rule="update-strategy")
        if is_zero(surge) and is_zero(unavailable):
            told = "may not be 0 when `maxSurge` is 0"
            yield invalid("update-strategy", (*_ROLLING, "maxUnavailable"), unavailable, told)
    deadline = spec.get("progressDeadlineSeconds")
    deadline = _PROGRESS_DEADLINE if deadline is None else deadline
    if 0 <= deadline <= (spec.get("minReadySeconds") or 0):
        told = "must be greater than minReadySeconds"
        yield invalid("progress-deadline", ("spec", "progressDeadlineSeconds"), deadline, told)


def stateful_set(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a StatefulSet."""
    spec = below(obj, "spec")
    claims = []
    for here, one in each(spec, "volumeClaimTemplates", ("spec",)):
        name = below(one, "metadata").get("name") or ""
        claims.append(name)
        if wrong := names.subdomain_problem(name):
            yield invalid("claim-template", (*here, "metadata", "name"), name, wrong)
        yield from storage.claim_spec(below(one, "spec"), (*here, "spec"))
    yield from _workload(obj, claims=tuple(claims))
    yield from not_negative(
        "replicas", spec, ("spec",), "replicas", "minReadySeconds", "revisionHistoryLimit"
    )
    service = spec.get("serviceName")
    if service and (wrong := names.label_problem(service)):
        yield invalid("service-name", ("spec", "serviceName"), service, wrong)
    yield from not_negative("replicas", below(spec, "ordinals"), ("spec", "ordinals"), "start")
    retention = below(spec, "persistentVolumeClaimRetentionPolicy")
    for field in ("whenDeleted", "whenScaled"):
        if retention.get(field) and retention[field] not in _RETENTION:
            at = ("spec", "persistentVolumeClaimRetentionPolicy", field)
            yield unsupported("claim-template", at, retention[field], _RETENTION)
    update = below(spec, "updateStrategy")
    rolling = update.get("rollingUpdate")
    if update.get("type") == "OnDelete" and rolling is not None:
        told = "only allowed for updateStrategy 'RollingUpdate'"
        yield invalid("update-strategy", _UPDATE, rolling, told)
    elif rolling:
        yield from not_negative("update-strategy", rolling, _UPDATE, "partition")
        most = rolling.get("maxUnavailable")
        yield from int_or_percent(
            most, (*_UPDATE, "maxUnavailable"), rule="update-strategy", whole=True
        )
        if is_zero(most):
            yield invalid("update-strategy", (*_UPDATE, "maxUnavailable"), most, "cannot be 0")


def daemon_set(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a DaemonSet."""
    yield from _workload(obj)
    spec = below(obj, "spec")
    yield from not_negative("replicas", spec, ("spec",), "minReadySeconds", "revisionHistoryLimit")
    update = below(spec, "updateStrategy")
    rolling = below(update, "rollingUpdate")
    if update.get("type") == "OnDelete" or not rolling:
        return
    surge, unavailable = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    for field, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        yield from int_or_percent(value, (*_UPDATE, field), rule="update-strategy", whole=True)
    without_surge = surge is None or is_zero(surge)
    if is_zero(unavailable) and without_surge:
        told = "cannot be 0 when maxSurge is 0"
        yield required("update-strategy", (*_UPDATE, "maxUnavailable"), told)
    elif not is_zero(unavailable) and not without_surge:
        told = "may not be set when maxUnavailable is non-zero"
        yield invalid("update-strategy", (*_UPDATE, "maxSurge"), surge, told)


def _workload(obj: Object, *, claims: tuple[str, ...] = ()) -> Iterator[Problem]:
    spec = below(obj, "spec")
    held = below(spec, "template")
    yield from selects(spec, held, str(obj.get("kind")))
    yield from template(held, _TEMPLATE, claims=claims)
    yield from _always(obj)


def _always(obj: Object) -> Iterator[Problem]:
    """Yield what a Pod template may say only where its Pods come to an end."""
    pod = below(below(below(obj, "spec"), "template"), "spec")
    policy = pod.get("restartPolicy") or "Always"
    if policy != "Always":
        yield unsupported(
            "restart-policy", (*_TEMPLATE, "spec", "restartPolicy"), policy, ["Always"]
        )
    if pod.get("activeDeadlineSeconds") is not None:
        told = f"activeDeadlineSeconds in {obj.get('kind')} is not Supported"
        yield forbidden("active-deadline", (*_TEMPLATE, "spec", "activeDeadlineSeconds"), told)


def selects(spec: Part, held: Part, kind: str) -> Iterator[Problem]:
    """Yield what is wrong between a workload's selector and the labels of its template (D03)."""
    path: Path = ("spec", "selector")
    selector: Any = spec.get("selector")
    if selector is None:
        yield required("selector", path)
        return
    wrong = list(label_selector(selector, path))
    yield from wrong
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        told = f"empty selector is invalid for {kind.lower()}"
        yield invalid("selector", path, selector, told)
    elif not wrong:
        labels = below(held, "metadata").get("labels") or {}
        if not selectors.from_object(selector).matches(labels):
            told = "`selector` does not match template `labels`"
            wanted = ", ".join(_wanted(selector))
            hint = f"the selector asks for {wanted}" if wanted else ""
            yield invalid(
                "selector-match", (*_TEMPLATE, "metadata", "labels"), labels, told, hint=hint
            )


def _wanted(selector: Part) -> Iterator[str]:
    """Yield what a selector asks of labels, as ``app: web`` and ``tier NotIn (a, b)``."""
    for key, value in (selector.get("matchLabels") or {}).items():
        yield f"{key}: {value}"
    for one in selector.get("matchExpressions") or ():
        values = f" ({', '.join(map(str, one['values']))})" if one.get("values") else ""
        yield f"{one.get('key')} {one.get('operator')}{values}"
