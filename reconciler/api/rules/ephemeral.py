"""Rules of the containers that are added to a Pod that runs (``pods/NAME/ephemeralcontainers``, KEP-277)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.rules.containers import Inside, container
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    duplicate,
    each,
    forbidden,
    not_found,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_RULE = "ephemeral-containers"
_TOLD = "cannot be set for an Ephemeral Container"
#: What they may have: nothing that a Pod's workload would rely on (a kube-apiserver's list).
_ALLOWED = frozenset(
    {
        "name", "image", "command", "args", "workingDir", "envFrom", "env", "volumeMounts", "volumeDevices",
        "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin", "stdinOnce",
        "tty", "targetContainerName",
    }
)  # fmt: skip


def ephemeral_containers(spec: Part, path: Path, inside: Inside) -> Iterator[Problem]:
    """Yield what is wrong with a Pod spec's ephemeral containers."""
    others = {
        one.get("name") or ""
        for field in ("containers", "initContainers")
        for _, one in each(spec, field, path)
    }
    taken = set(others)
    for here, one in each(spec, "ephemeralContainers", path):
        allowed = {k: v for k, v in one.items() if k in _ALLOWED}
        yield from container(allowed, here, inside, init=False)
        name, target = one.get("name") or "", one.get("targetContainerName")
        if name and name in taken:
            yield duplicate("container-name", (*here, "name"), name)
        taken.add(name)
        if target and target not in others:
            yield not_found(_RULE, (*here, "targetContainerName"), target, others)
        for field in one:
            if field not in _ALLOWED and one[field]:
                yield forbidden(_RULE, (*here, field), _TOLD)
        for at, mount in each(one, "volumeMounts", here):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    yield forbidden(_RULE, (*at, field), _TOLD)


def additions(before: Object, after: Object) -> Iterator[Problem]:
    """Yield where a change of a Pod's ephemeral containers is more than an addition: what has begun cannot be undone."""
    now = {c["name"]: c for c in after["spec"].get("ephemeralContainers") or ()}
    for old in before["spec"].get("ephemeralContainers") or ():
        kept = now.get(old["name"])
        if kept != old:
            what = "removed" if kept is None else "changed"
            told = f'existing ephemeral containers "{old["name"]}" may not be {what}'
            yield forbidden(_RULE, ("spec", "ephemeralContainers"), told)
