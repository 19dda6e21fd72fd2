"""Rules of every object's metadata: name, namespace, labels, annotations, finalizers, owners (M20)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.problem import Part, Path, Problem, each, invalid, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_MOST_ANNOTATIONS = 256 * 1024  # bytes, keys and values together
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_BUILT_IN_GROUPS = frozenset({"", "apps", "batch", "autoscaling", "policy"})


def metadata(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with an object's metadata, whatever its kind."""
    meta = obj.get("metadata") or {}
    yield from _name(obj, meta)
    namespace = meta.get("namespace")
    if namespace and (wrong := names.label_problem(namespace)):
        yield invalid("namespace", ("metadata", "namespace"), namespace, wrong)
    if held := meta.get("labels"):
        yield from check_labels(held, ("metadata", "labels"))
    if held := meta.get("annotations"):
        yield from check_annotations(held, ("metadata", "annotations"))
    if meta.get("finalizers"):
        yield from _finalizers(obj, meta)
    if meta.get("ownerReferences"):
        yield from _owners(meta)


def _name(obj: Object, meta: Part) -> Iterator[Problem]:
    kind = str(obj.get("kind"))
    name = meta.get("name")
    if name:
        if wrong := names.problem(kind, name):
            yield invalid("name", ("metadata", "name"), name, wrong)
        elif kind == "Job" and len(name) > 63:
            yield invalid(
                "name",
                ("metadata", "name"),
                name,
                "must be no more than 63 bytes",
                named="spec.template.labels",
            )
        return
    prefix = meta.get("generateName")
    if not prefix:
        yield required("name", ("metadata", "name"), "name or generateName is required")
    elif wrong := names.problem(kind, prefix.rstrip("-") if prefix.endswith("-") else prefix):
        yield invalid("name", ("metadata", "generateName"), prefix, wrong)


def check_labels(held: Part, path: Path, *, rule: str = "label") -> Iterator[Problem]:
    """Yield keys and values that no label may have."""
    named = ".".join(str(p) for p in path if isinstance(p, str)) if path[0] == "metadata" else ""
    for key, value in held.items():
        if wrong := names.qualified_problem(key):
            yield invalid(rule, (*path, key), key, f"a valid label key: {wrong}", named=named)
        if wrong := names.label_value_problem(value or ""):
            yield invalid(rule, (*path, key), value, wrong, named=named)


def check_annotations(held: Part, path: Path) -> Iterator[Problem]:
    """Yield keys that no annotation may have, and annotations that are too long together."""
    total = 0
    named = "metadata.annotations" if path[0] == "metadata" else ""
    for key, value in held.items():
        total += len(key) + len(value or "")
        if wrong := names.qualified_problem(key.lower()):
            yield invalid("annotation", (*path, key), key, wrong, named=named)
    if total > _MOST_ANNOTATIONS or 4 * total > _MOST_ANNOTATIONS:
        size = sum(len(k.encode()) + len((v or "").encode()) for k, v in held.items())
        if size > _MOST_ANNOTATIONS:
            told = f"Too long: may not be more than {_MOST_ANNOTATIONS} bytes"
            yield Problem(path, "FieldValueTooLong", told, "rule/annotation", "", named)


def _finalizers(obj: Object, meta: Part) -> Iterator[Problem]:
    group = str(obj.get("apiVersion")).rpartition("/")[0]
    built_in = group in _BUILT_IN_GROUPS or group.endswith(".k8s.io")
    for index, name in enumerate(meta["finalizers"]):
        path = ("metadata", "finalizers", index)
        if wrong := names.qualified_problem(name or ""):
            yield invalid("finalizer", path, name, wrong)
        elif built_in and "/" not in name and name not in _STANDARD_FINALIZERS:
            told = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid("finalizer", path, name, told)


def _owners(meta: Part) -> Iterator[Problem]:
    controllers = 0
    for path, owner in each(meta, "ownerReferences", ("metadata",)):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                named = f"metadata.ownerReferences.{field}"
                yield invalid(
                    "owner-reference", (*path, field), "", "must not be empty", named=named
                )
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            yield invalid(
                "owner-reference", path, "v1, Kind=Event", "is disallowed from being an owner"
            )
        controllers += owner.get("controller") is True
    if controllers > 1:
        told = "Only one reference can have Controller set to true"
        yield invalid(
            "owner-reference", ("metadata", "ownerReferences"), meta["ownerReferences"], told
        )
