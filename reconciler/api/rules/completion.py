"""When a Job has succeeded or failed: indexes, success policies and pod failure policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    duplicate,
    each,
    invalid,
    not_negative,
    required,
    too_many,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_PARALLEL = _MOST_FAILED = _MANY_COMPLETIONS = 100_000
#: The bounds of ``parallelism`` and ``maxFailedIndexes`` where there are more completions than that, retried one by one.
_OF_MANY = 10_000
_MOST_RULES = _MOST_CONDITIONS = 20
_MOST_CODES = 255


def indexed(spec: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the fields that only indexed Jobs have, and with their numbers."""
    is_indexed = spec.get("completionMode") == "Indexed"
    most, tries = spec.get("maxFailedIndexes"), spec.get("backoffLimitPerIndex")
    for field, value in (("backoffLimitPerIndex", tries), ("maxFailedIndexes", most)):
        if value is not None and not is_indexed:
            yield invalid("job-indexed", (*path, field), value, "requires indexed completion mode")
    if most is not None and tries is None:
        told = "when maxFailedIndexes is specified"
        yield required("job-indexed", (*path, "backoffLimitPerIndex"), told)
    if is_indexed:
        yield from _numbers(spec, path)
    policy = spec.get("successPolicy")
    if policy is not None and not is_indexed:
        told = "requires indexed completion mode"
        yield invalid("job-indexed", (*path, "successPolicy"), policy, told)
    elif policy is not None:
        yield from _success(policy, spec.get("completions"), (*path, "successPolicy"))


def _numbers(spec: Part, path: Path) -> Iterator[Problem]:
    completions, parallel = spec.get("completions"), spec.get("parallelism") or 0
    most = spec.get("maxFailedIndexes")
    here = (*path, "maxFailedIndexes")
    if completions is None:
        told = "when completion mode is Indexed"
        yield required("job-indexed", (*path, "completions"), told)
    if parallel > _MOST_PARALLEL:
        told = f"must be less than or equal to {_MOST_PARALLEL} when completion mode is Indexed"
        yield invalid("job-indexed", (*path, "parallelism"), parallel, told)
    if completions is not None and most is not None and most > completions:
        yield invalid("job-indexed", here, most, "must be less than or equal to completions")
    if most is not None and most > _MOST_FAILED:
        yield invalid("job-indexed", here, most, f"must be less than or equal to {_MOST_FAILED}")
    if (completions or 0) <= _MANY_COMPLETIONS or spec.get("backoffLimitPerIndex") is None:
        return
    above = f"when completions are above {_MANY_COMPLETIONS} and used with backoff limit per index"
    told = f"must be less than or equal to {_OF_MANY} {above}"
    if most is None:
        yield required(
            "job-indexed", here, f"must be specified when completions is above {_MANY_COMPLETIONS}"
        )
    elif most > _OF_MANY:
        yield invalid("job-indexed", here, most, told)
    if parallel > _OF_MANY:
        yield invalid("job-indexed", (*path, "parallelism"), parallel, told)


def _success(policy: Part, completions: int | None, path: Path) -> Iterator[Problem]:
    given = policy.get("rules") or ()
    if not given:
        told = "at least one rules must be specified when the successPolicy is specified"
        yield required("job-indexed", (*path, "rules"), told)
    if len(given) > _MOST_RULES:
        yield too_many("job-indexed", (*path, "rules"), len(given), _MOST_RULES)
    for here, rule in each(policy, "rules", path):
        indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        if indexes is None and count is None:
            told = "at least one of succeededCount or succeededIndexes must be specified"
            yield required("job-indexed", here, told)
        total = 0
        if indexes is not None and completions is not None:
            total, wrong = read_indexes(indexes, completions)
            if wrong:
                told = f"error parsing succeededIndexes: {wrong}"
                yield invalid("job-indexed", (*here, "succeededIndexes"), indexes, told)
        yield from not_negative("job-indexed", rule, here, "succeededCount")
        at = (*here, "succeededCount")
        if count is not None and completions is not None and count > completions:
            told = (
                f"must be less than or equal to {completions} (the number of specified completions)"
            )
            yield invalid("job-indexed", at, count, told)
        if count is not None and indexes is not None and count > total:
            told = (
                f"must be less than or equal to {total} "
                "(the number of indexes in the specified succeededIndexes field)"
            )
            yield invalid("job-indexed", at, count, told)


def read_indexes(text: str, completions: int) -> tuple[int, str]:
    """Return how many indexes a text such as ``0-2,5`` names, and what is wrong with it.

    >>> read_indexes("0-2,5", 6), read_indexes("5", 5)
    ((4, ''), (0, 'too large index: "5"'))
    """
    total, last = 0, -1
    for interval in text.split(",") if text else ():
        parts = interval.split("-")
        if len(parts) > 2:
            return 0, (
                f"the fragment {json.dumps(interval)} violates the requirement that an index interval "
                "can have at most two parts separated by '-'"
            )
        ends: list[int] = []
        for part in parts:
            if not (part.isascii() and part.isdigit()):
                return 0, f"cannot convert string to integer for index: {json.dumps(part)}"
            ends.append(int(part))
            if ends[-1] >= completions:
                return 0, f"too large index: {json.dumps(part)}"
        low, high = ends[0], ends[-1]
        if len(ends) == 2 and low >= high:
            return 0, f"non-increasing order, previous: {low}, current: {high}"
        if last >= low:
            return 0, f"non-increasing order, previous: {last}, current: {low}"
        total, last = total + high - low + 1, high
    return total, ""


def failure_policy(policy: Part, spec: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a pod failure policy of a Job's ``spec``."""
    replacement = spec.get("podReplacementPolicy")
    if replacement not in (None, "", "Failed"):
        where = (*path[:-1], "podReplacementPolicy")
        yield unsupported("pod-failure-policy", where, replacement, ["Failed"])
    known = {c.get("name") for f in ("containers", "initContainers")
             for _, c in each(below(below(spec, "template"), "spec"), f, ())}  # fmt: skip
    given = policy.get("rules") or ()
    if len(given) > _MOST_RULES:
        yield too_many("pod-failure-policy", (*path, "rules"), len(given), _MOST_RULES)
    for here, rule in each(policy, "rules", path):
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if codes is None and not conditions:
            told = "specifying one of OnExitCodes and OnPodConditions is required"
            yield invalid("pod-failure-policy", here, rule, told)
        elif codes is not None and conditions:
            told = "specifying both OnExitCodes and OnPodConditions is not supported"
            yield invalid("pod-failure-policy", here, rule, told)
        if codes is not None:
            yield from _exit_codes(codes, known, (*here, "onExitCodes"))
        yield from _conditions(rule, here)
        if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            told = "requires the backoffLimitPerIndex to be set"
            yield invalid("pod-failure-policy", (*here, "action"), "FailIndex", told)


def _exit_codes(codes: Part, known: set[str | None], path: Path) -> Iterator[Problem]:
    name = codes.get("containerName")
    if name is not None and name not in known:
        told = "must be one of the container or initContainer names in the pod template"
        yield invalid("pod-failure-policy", (*path, "containerName"), name, told)
    values = codes.get("values") or []
    at = (*path, "values")
    if not values:
        yield invalid("pod-failure-policy", at, values, "at least one value is required")
    if len(values) > _MOST_CODES:
        yield too_many("pod-failure-policy", at, len(values), _MOST_CODES)
    if codes.get("operator") == "In" and 0 in values:
        told = "must not be 0 for the In operator"
        yield invalid("pod-failure-policy", (*at, values.index(0)), 0, told)
    for index, code in enumerate(values):
        if code in values[:index]:
            yield duplicate("pod-failure-policy", (*at, index), code)
    if values != sorted(values):
        yield invalid("pod-failure-policy", at, values, "must be ordered")


def _conditions(rule: Part, path: Path) -> Iterator[Problem]:
    given = rule.get("onPodConditions") or ()
    if len(given) > _MOST_CONDITIONS:
        at = (*path, "onPodConditions")
        yield too_many("pod-failure-policy", at, len(given), _MOST_CONDITIONS)
    for here, pattern in each(rule, "onPodConditions", path):
        kind = pattern.get("type") or ""
        if wrong := names.qualified_problem(kind):
            yield invalid("pod-failure-policy", (*here, "type"), kind, wrong)
