"""Rules of RBAC: what a role allows, and whom a binding gives it to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.problem import Path, Problem, below, each, invalid, required, unsupported
from reconciler.api.rules.selection import label_selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object
    from reconciler.api.rules.problem import Part

_GROUP = "rbac.authorization.k8s.io"


def role(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a Role."""
    for path, one in each(obj, "rules", ()):
        yield from _policy(one, path, namespaced=True)


def cluster_role(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a ClusterRole."""
    for path, one in each(obj, "rules", ()):
        yield from _policy(one, path, namespaced=False)
    held = obj.get("aggregationRule")
    if not isinstance(held, dict):
        return
    path = ("aggregationRule", "clusterRoleSelectors")
    if not held.get("clusterRoleSelectors"):
        told = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        yield required("role", path, told)
    for index, selector in enumerate(held.get("clusterRoleSelectors") or ()):
        yield from label_selector(selector, (*path, index))


def _policy(one: Part, path: Path, *, namespaced: bool) -> Iterator[Problem]:
    if not one.get("verbs"):
        yield required("role", (*path, "verbs"), "verbs must contain at least one value")
    urls = one.get("nonResourceURLs")
    if urls:
        here = (*path, "nonResourceURLs")
        if namespaced:
            yield invalid("role", here, urls, "namespaced rules cannot apply to non-resource URLs")
        if one.get("apiGroups") or one.get("resources") or one.get("resourceNames"):
            told = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid("role", here, urls, told)
        return
    for field, what in (("apiGroups", "api group"), ("resources", "resource")):
        if not one.get(field):
            told = f"resource rules must supply at least one {what}"
            yield required("role", (*path, field), told)


def role_binding(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a RoleBinding."""
    yield from _binding(obj, ("ClusterRole", "Role"))


def cluster_role_binding(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a ClusterRoleBinding."""
    yield from _binding(obj, ("ClusterRole",))


def _binding(obj: Object, roles: tuple[str, ...]) -> Iterator[Problem]:
    ref = below(obj, "roleRef")
    group = ref.get("apiGroup") or _GROUP
    if group != _GROUP:
        yield unsupported("role-binding", ("roleRef", "apiGroup"), group, [_GROUP])
    if ref.get("kind") not in roles:
        yield unsupported("role-binding", ("roleRef", "kind"), ref.get("kind"), roles)
    if not ref.get("name"):
        yield required("role-binding", ("roleRef", "name"))
    for path, subject in each(obj, "subjects", ()):
        yield from _subject(subject, path)


def _subject(subject: Part, path: Path) -> Iterator[Problem]:
    name, kind, group = subject.get("name"), subject.get("kind"), subject.get("apiGroup") or ""
    if not name:
        yield required("role-binding", (*path, "name"))
    if kind == "ServiceAccount":
        if name and (wrong := names.subdomain_problem(name)):
            yield invalid("role-binding", (*path, "name"), name, wrong)
        if group:
            yield unsupported("role-binding", (*path, "apiGroup"), group, [""])
        if not subject.get("namespace"):
            yield required("role-binding", (*path, "namespace"))
    elif kind in ("User", "Group"):
        if group and group != _GROUP:
            yield unsupported("role-binding", (*path, "apiGroup"), group, [_GROUP])
    else:
        yield unsupported(
            "role-binding", (*path, "kind"), kind, ["Group", "ServiceAccount", "User"]
        )
