"""Rules of where a Pod may run: node selectors, tolerations, affinity, spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.metadata import check_labels
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    each,
    forbidden,
    invalid,
    nearest,
    required,
)
from reconciler.api.rules.selection import label_selector

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def placement(spec: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the part of a Pod's spec that the scheduler reads."""
    if held := spec.get("nodeSelector"):
        yield from check_labels(held, (*path, "nodeSelector"), rule="node-selector")
    for here, toleration in each(spec, "tolerations", path):
        yield from _toleration(toleration, here)
    if affinity := spec.get("affinity"):
        yield from _affinity(affinity, (*path, "affinity"))
    seen: set[tuple[object, object]] = set()
    for here, constraint in each(spec, "topologySpreadConstraints", path):
        yield from _spread(constraint, here)
        pair = constraint.get("topologyKey"), constraint.get("whenUnsatisfiable")
        if pair in seen:
            told = f"Duplicate value: {{{pair[0]}, {pair[1]}}}"
            yield Problem(here, "FieldValueDuplicate", told, "rule/topology-spread")
        seen.add(pair)


def _toleration(toleration: Part, path: Path) -> Iterator[Problem]:
    key, operator = toleration.get("key") or "", toleration.get("operator") or "Equal"
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    if key and (wrong := names.qualified_problem(key)):
        yield invalid("toleration", (*path, "key"), key, wrong)
    if not key and operator != "Exists":
        yield invalid(
            "toleration", (*path, "operator"), operator,
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        )  # fmt: skip
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        yield invalid(
            "toleration", (*path, "effect"), effect,
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        )  # fmt: skip
    if operator == "Exists" and value:
        yield invalid(
            "toleration",
            (*path, "operator"),
            value,
            "value must be empty when `operator` is 'Exists'",
        )
    if operator == "Equal" and (wrong := names.label_value_problem(value)):
        yield invalid("toleration", (*path, "operator"), value, wrong)


def _affinity(affinity: Part, path: Path) -> Iterator[Problem]:
    if node := affinity.get("nodeAffinity"):
        here = (*path, "nodeAffinity")
        if node.get(_REQUIRED) is not None:
            yield from node_selector(node[_REQUIRED], (*here, _REQUIRED))
        for at, term in each(node, _PREFERRED, here):
            yield from _weight(term, at)
            yield from _node_term(below(term, "preference"), (*at, "preference"))
    for field in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(field)
        if not pods:
            continue
        here = (*path, field)
        for at, term in each(pods, _REQUIRED, here):
            yield from _pod_term(term, at)
        for at, term in each(pods, _PREFERRED, here):
            yield from _weight(term, at)
            yield from _pod_term(below(term, "podAffinityTerm"), (*at, "podAffinityTerm"))


def _weight(term: Part, path: Path) -> Iterator[Problem]:
    weight = term.get("weight") or 0
    if not 1 <= weight <= 100:
        yield invalid("affinity", (*path, "weight"), weight, "must be in the range 1-100")


def node_selector(selector: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a NodeSelector (a Pod's affinity, a volume's nodes)."""
    if not selector.get("nodeSelectorTerms"):
        yield required(
            "affinity", (*path, "nodeSelectorTerms"), "must have at least one node selector term"
        )
    for at, term in each(selector, "nodeSelectorTerms", path):
        yield from _node_term(term, at)


def _node_term(term: Part, path: Path) -> Iterator[Problem]:
    for here, one in each(term, "matchExpressions", path):
        yield from _node_requirement(one, here)
        if wrong := names.qualified_problem(one.get("key") or ""):
            yield invalid("affinity", (*here, "key"), one.get("key"), wrong)
    for here, one in each(term, "matchFields", path):
        if one.get("operator") not in ("In", "NotIn"):
            yield invalid(
                "affinity",
                (*here, "operator"),
                one.get("operator"),
                "not a valid selector operator",
            )
        elif len(one.get("values") or ()) != 1:
            yield required(
                "affinity", (*here, "values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            )  # fmt: skip
        if one.get("key") != "metadata.name":
            yield invalid(
                "affinity", (*here, "key"), one.get("key"), "not a valid field selector key"
            )


def _node_requirement(one: Part, path: Path) -> Iterator[Problem]:
    operator, values = one.get("operator") or "", one.get("values")
    match operator:
        case "In" | "NotIn":
            if not values:
                yield required(
                    "affinity",
                    (*path, "values"),
                    "must be specified when `operator` is 'In' or 'NotIn'",
                )
        case "Exists" | "DoesNotExist":
            if values:
                yield forbidden(
                    "affinity", (*path, "values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                )  # fmt: skip
        case "Gt" | "Lt":
            if len(values or ()) != 1:
                yield required(
                    "affinity", (*path, "values"),
                    "must be specified single value when `operator` is 'Lt' or 'Gt'",
                )  # fmt: skip
        case _:
            hint = nearest(operator, _OPERATORS)
            yield invalid(
                "affinity",
                (*path, "operator"),
                operator,
                "not a valid selector operator",
                hint=hint,
            )


def _pod_term(term: Part, path: Path) -> Iterator[Problem]:
    yield from label_selector(term.get("labelSelector"), (*path, "labelSelector"))
    yield from label_selector(term.get("namespaceSelector"), (*path, "namespaceSelector"))
    for index, namespace in enumerate(term.get("namespaces") or ()):
        if wrong := names.label_problem(namespace or ""):
            yield invalid(
                "affinity",
                (*path, "namespaces", index),
                namespace,
                wrong,
                named=_plain((*path, "namespace")),
            )
    key = term.get("topologyKey") or ""
    if not key:
        yield required("affinity", (*path, "topologyKey"), "can not be empty")
    elif wrong := names.qualified_problem(key):
        yield invalid("affinity", (*path, "topologyKey"), key, wrong)


def _plain(path: Path) -> str:
    return Problem(path, "", "").field


def _spread(constraint: Part, path: Path) -> Iterator[Problem]:
    if (constraint.get("maxSkew") or 0) <= 0:
        yield invalid(
            "topology-spread",
            (*path, "maxSkew"),
            constraint.get("maxSkew") or 0,
            "must be greater than zero",
        )
    key = constraint.get("topologyKey") or ""
    if not key:
        yield required("topology-spread", (*path, "topologyKey"), "can not be empty")
    elif wrong := names.qualified_problem(key):
        yield invalid("topology-spread", (*path, "topologyKey"), key, wrong)
    if constraint.get("matchLabelKeys") and constraint.get("labelSelector") is None:
        told = "must not be specified when labelSelector is not set"
        yield forbidden("topology-spread", (*path, "matchLabelKeys"), told)
    least = constraint.get("minDomains")
    if least is not None:
        if least <= 0:
            yield invalid(
                "topology-spread", (*path, "minDomains"), least, "must be greater than zero"
            )
        if constraint.get("whenUnsatisfiable") == "ScheduleAnyway":
            yield invalid(
                "topology-spread", (*path, "minDomains"), least,
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
            )  # fmt: skip
    yield from label_selector(constraint.get("labelSelector"), (*path, "labelSelector"))
