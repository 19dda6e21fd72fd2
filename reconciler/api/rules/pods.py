"""Rules of a Pod's spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.claims import pod_claims
from reconciler.api.rules.containers import Inside, container
from reconciler.api.rules.ephemeral import ephemeral_containers
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    duplicate,
    each,
    forbidden,
    invalid,
    required,
    unsupported,
)
from reconciler.api.rules.scheduling import placement
from reconciler.api.rules.security import pod_security
from reconciler.api.rules.volumes import volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.api.objects import Object

_SUBDOMAINS = ("serviceAccountName", "priorityClassName", "runtimeClassName", "nodeName")
_SYSTEMS = ("linux", "windows")
_LABELS = ("hostname", "subdomain")


def pod(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a Pod."""
    spec = below(obj, "spec")
    inside = _inside(spec, ())
    yield from _spec(spec, ("spec",), inside)
    if spec.get("ephemeralContainers") and not below(obj, "metadata").get("uid"):
        yield forbidden(
            "ephemeral-containers", ("spec", "ephemeralContainers"), "cannot be set on create"
        )
    else:
        yield from ephemeral_containers(spec, ("spec",), inside)


def pod_spec(spec: Part, path: Path, *, claims: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield what is wrong with a Pod spec at ``path``. ``claims`` are volumes that its owner adds."""
    yield from _spec(spec, path, _inside(spec, claims))


def _inside(spec: Part, claims: Iterable[str]) -> Inside:
    """Return what containers' rules need to know of their Pod."""
    sources = {
        v.get("name") or "": next((k for k in v if k != "name"), "")
        for _, v in each(spec, "volumes", ())
    }
    sources.update(dict.fromkeys(claims, "persistentVolumeClaim"))
    grace = spec.get("terminationGracePeriodSeconds")
    return Inside(
        sources, bool(spec.get("hostNetwork")), spec.get("hostUsers") is False,
        30 if grace is None else grace, set(),
    )  # fmt: skip


def _spec(spec: Part, path: Path, inside: Inside) -> Iterator[Problem]:
    known: set[str] = set()
    for here, one in each(spec, "volumes", path):
        yield from volume(one, here, known)
    if not spec.get("containers"):
        yield required("containers", (*path, "containers"))
    seen: set[str] = set()
    for field in ("containers", "initContainers"):
        for here, one in each(spec, field, path):
            yield from container(one, here, inside, init=field == "initContainers")
            name = one.get("name") or ""
            if name and name in seen:
                yield duplicate("container-name", (*here, "name"), name)
            seen.add(name)
    yield from pod_claims(spec, path)
    yield from placement(spec, path)
    yield from pod_security(spec, path)
    yield from _dns(spec, path)
    yield from _names(spec, path)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        told = "must be between 1 and 2147483647, inclusive"
        yield invalid("active-deadline", (*path, "activeDeadlineSeconds"), deadline, told)


def template(one: Part, path: Path, *, claims: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield what is wrong with a Pod template at ``path``: its metadata and its spec."""
    from reconciler.api.rules.metadata import check_annotations, check_labels

    meta = below(one, "metadata")
    if held := meta.get("labels"):
        yield from check_labels(held, (*path, "metadata", "labels"))
    if held := meta.get("annotations"):
        yield from check_annotations(held, (*path, "metadata", "annotations"))
    spec = below(one, "spec")
    yield from pod_spec(spec, (*path, "spec"), claims=claims)
    if spec.get("ephemeralContainers"):
        told = "ephemeral containers not allowed in pod template"
        yield forbidden("ephemeral-containers", (*path, "spec", "ephemeralContainers"), told)


def _names(spec: Part, path: Path) -> Iterator[Problem]:
    for field in _SUBDOMAINS:
        name = spec.get(field)
        if name and (wrong := names.subdomain_problem(name)):
            yield invalid("pod-name-field", (*path, field), name, wrong)
    for field in _LABELS:
        name = spec.get(field)
        if name and (wrong := names.label_problem(name)):
            yield invalid("pod-name-field", (*path, field), name, wrong)
    system = spec.get("os")
    if isinstance(system, dict) and system.get("name") not in _SYSTEMS:
        here = (*path, "os", "name")
        name = system.get("name")
        yield unsupported("windows", here, name, _SYSTEMS) if name else required("windows", here)
    yield from _aliases(spec, path)
    yield from _gates(spec, path)


def _aliases(spec: Part, path: Path) -> Iterator[Problem]:
    for here, alias in each(spec, "hostAliases", path):
        if wrong := names.address_problem(alias.get("ip") or ""):
            yield invalid("host-alias", (*here, "ip"), alias.get("ip") or "", wrong)
        for index, name in enumerate(alias.get("hostnames") or ()):
            if wrong := names.subdomain_problem(name or ""):
                yield invalid("host-alias", (*here, "hostnames", index), name, wrong)


def _gates(spec: Part, path: Path) -> Iterator[Problem]:
    for here, gate in each(spec, "readinessGates", path):
        if wrong := names.qualified_problem(gate.get("conditionType") or ""):
            yield invalid("gate", (*here, "conditionType"), gate.get("conditionType"), wrong)
    gates: set[str] = set()
    for here, gate in each(spec, "schedulingGates", path):
        name = gate.get("name") or ""
        if wrong := names.qualified_problem(name):
            yield invalid("gate", (*here, "name"), name, wrong)
        elif name in gates:
            yield duplicate("gate", here, name)
        gates.add(name)


def _dns(spec: Part, path: Path) -> Iterator[Problem]:
    config = spec.get("dnsConfig")
    here = (*path, "dnsConfig")
    servers = below(spec, "dnsConfig").get("nameservers") or []
    if spec.get("dnsPolicy") == "None":
        if config is None:
            told = "must provide `dnsConfig` when `dnsPolicy` is None"
            yield required("dns", here, told)
        elif not servers:
            told = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield required("dns", (*here, "nameservers"), told)
    if not config:
        return
    if len(servers) > 3:
        told = "must not have more than 3 nameservers"
        yield invalid("dns", (*here, "nameservers"), servers, told)
    for index, server in enumerate(servers):
        if wrong := names.address_problem(server):
            yield invalid("dns", (*here, "nameservers", index), server, wrong)
    searches = config.get("searches") or []
    if len(searches) > 32:
        yield invalid(
            "dns", (*here, "searches"), searches, "must not have more than 32 search paths"
        )
    for at, option in each(config, "options", here):
        if not option.get("name"):
            yield required("dns", at, "must not be empty")
