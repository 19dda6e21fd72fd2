"""Rules of what a container asks for beyond numbers: claims of devices, what is resized while it runs, how it restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    duplicate,
    each,
    invalid,
    not_found,
    required,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESIZED = ("cpu", "memory")
_ON_RESIZE = ("NotRequired", "RestartContainer")
_RESTARTS = ("Always", "Never", "OnFailure")
_SOURCES = ("resourceClaimName", "resourceClaimTemplateName")


def pod_claims(spec: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a Pod's claims of devices, and with its containers' uses of them."""
    known: set[str] = set()
    for here, claim in each(spec, "resourceClaims", path):
        name = claim.get("name") or ""
        if not name:
            yield required("invalid", (*here, "name"))
        elif name in known:
            yield duplicate("invalid", (*here, "name"), name)
        known.add(name)
        given = [s for s in _SOURCES if claim.get(s) is not None]
        if len(given) != 1:
            words = "must specify one of" if not given else "at most one may be specified of"
            told = f"{words}: `resourceClaimName`, `resourceClaimTemplateName`"
            yield invalid("invalid", here, {"name": name}, told)
    for group in ("containers", "initContainers"):
        for here, one in each(spec, group, path):
            yield from _uses(one, known, here)


def _uses(one: Part, known: set[str], path: Path) -> Iterator[Problem]:
    for here, use in each(one.get("resources") or {}, "claims", (*path, "resources")):
        name = use.get("name") or ""
        if name not in known:
            yield not_found("invalid", (*here, "name"), name, known)


def running(one: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a container's restart policy, and with what happens to it on a resize."""
    policy = one.get("restartPolicy")
    if policy is not None and policy not in _RESTARTS:
        yield unsupported("restart-policy", (*path, "restartPolicy"), policy, _RESTARTS)
    seen: set[str] = set()
    for here, resize in each(one, "resizePolicy", path):
        name, restart = resize.get("resourceName") or "", resize.get("restartPolicy") or ""
        if name in seen:
            yield duplicate("resources", (*here, "resourceName"), name)
        seen.add(name)
        if name not in _RESIZED:
            yield unsupported("resources", (*here, "resourceName"), name, _RESIZED)
        if restart not in _ON_RESIZE:
            yield unsupported("resources", (*here, "restartPolicy"), restart, _ON_RESIZE)
