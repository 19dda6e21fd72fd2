"""Rules of LimitRanges, ResourceQuotas, PriorityClasses and RuntimeClasses: what a namespace or a Pod may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import names, quantities
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    duplicate,
    each,
    forbidden,
    invalid,
    nearest,
    not_negative,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from reconciler.api.objects import Object

_COUNTED = (
    "configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services",
    "services.loadbalancers", "services.nodeports",
)  # fmt: skip
_MEASURED = tuple(
    prefix + word
    for prefix, words in (
        ("", ("cpu", "memory", "ephemeral-storage")),
        ("requests.", ("cpu", "memory", "ephemeral-storage", "storage")),
        ("limits.", ("cpu", "memory", "ephemeral-storage")),
    )
    for word in words
)
_SCOPES = (
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)  # fmt: skip
_COMPUTED = tuple(p + n for p in ("", "requests.", "limits.") for n in ("cpu", "memory"))
_LIMITED = ("Container", "PersistentVolumeClaim", "Pod")
_HIGHEST_PRIORITY = 1_000_000_000


def quota(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a ResourceQuota."""
    for name, value in below(below(obj, "spec"), "hard").items():
        path = ("spec", "hard", name)
        known = name in _COUNTED or name in _MEASURED or "hugepages-" in name or "/" in name
        if not known:
            told = "must be a standard resource for quota"
            yield invalid("quota", path, name, told, hint=nearest(name, [*_COUNTED, *_MEASURED]))
        amount = _amount(value)
        if amount is None:
            continue
        if amount < 0:
            yield invalid("quota", path, str(value), "must be greater than or equal to 0")
        elif amount.denominator != 1 and (name in _COUNTED or name.startswith("count/")):
            yield invalid("quota", path, str(value), "must be an integer")

    yield from _scopes(below(obj, "spec"))


def _scopes(spec: Part) -> Iterator[Problem]:
    path: Path = ("spec", "scopes")
    scopes, hard = spec.get("scopes") or (), below(spec, "hard")
    for scope in scopes:
        if scope not in _SCOPES:
            hint = nearest(scope, _SCOPES)
            yield invalid("quota", path, scopes, "unsupported scope", hint=hint)
            continue
        countable = ("pods",) if scope == "BestEffort" else ("pods", *_COMPUTED)
        if scope != "VolumeAttributesClass" and any(
            n not in countable for n in hard if n in _COUNTED or n in _MEASURED
        ):
            yield invalid("quota", path, scopes, "unsupported scope applied to resource")
    for one, other in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if one in scopes and other in scopes:
            yield invalid("quota", path, scopes, "conflicting scopes")


def limit_range(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a LimitRange."""
    seen: set[Any] = set()
    for path, item in each(below(obj, "spec"), "limits", ("spec",)):
        kind = item.get("type")
        if kind in seen:
            yield duplicate("limit-range", (*path, "type"), kind)
        seen.add(kind)
        if kind not in _LIMITED and "/" not in str(kind or ""):
            told = "must be a standard limit type or fully qualified"
            hint = nearest(kind, _LIMITED)
            yield invalid("limit-range", (*path, "type"), kind or "", told, hint=hint)
        if kind == "Pod":
            for field in ("default", "defaultRequest"):
                if item.get(field):
                    told = "may not be specified when `type` is 'Pod'"
                    yield forbidden("limit-range", (*path, field), told)
        if kind == "PersistentVolumeClaim" and not any(
            "storage" in below(item, field) for field in ("min", "max")
        ):
            told = "either minimum or maximum storage value is required, but neither was provided"
            yield required("limit-range", (*path, "limits"), told)
        yield from _ordered(item, path)


def _ordered(item: Part, path: Path) -> Iterator[Problem]:
    """Yield bounds that contradict each other: min ≤ defaultRequest ≤ default ≤ max, and a ratio of at least one."""
    words = {"min": "min", "defaultRequest": "default request", "default": "default", "max": "max"}
    fields = list(words)
    for low, high in ((a, b) for i, a in enumerate(fields) for b in fields[i + 1 :]):
        least, most = below(item, low), below(item, high)
        for name in least.keys() & most.keys():
            one, other = _amount(least[name]), _amount(most[name])
            if one is not None and other is not None and one > other:
                told = f"{words[low]} value {least[name]} is greater than {words[high]} value {most[name]}"
                yield invalid("limit-range", (*path, low, name), str(least[name]), told)
    for name, value in below(item, "maxLimitRequestRatio").items():
        ratio = _amount(value)
        if ratio is not None and ratio < 1:
            told = f"ratio {value} is less than 1"
            yield invalid("limit-range", (*path, "maxLimitRequestRatio", name), str(value), told)


def _amount(value: Any) -> Fraction | None:
    try:
        return quantities.parse(0 if value is None else value)
    except ValueError:
        return None


def priority_class(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a PriorityClass."""
    name = str(below(obj, "metadata").get("name") or "")
    if name.startswith("system-"):
        told = "priority class names with 'system-' prefix are reserved for system use only"
        yield forbidden("priority-class", ("metadata", "name"), told)
    value = obj.get("value") or 0
    if value > _HIGHEST_PRIORITY:
        told = f"maximum allowed value of a user defined priority is {_HIGHEST_PRIORITY}"
        yield forbidden("priority-class", ("value",), told)


def runtime_class(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a RuntimeClass."""
    handler = obj.get("handler") or ""
    if wrong := names.label_problem(handler):
        yield invalid("runtime-class", ("handler",), handler, wrong)


def lease(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a Lease."""
    spec = below(obj, "spec")
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        path = ("spec", "leaseDurationSeconds")
        yield invalid("invalid", path, seconds, "must be greater than 0")
    yield from not_negative("invalid", spec, ("spec",), "leaseTransitions")
