"""What documents say of one another: names that must exist, keys that must be in them, one object a key. Pure.

A document's own part (``facts_of``) is worked out once; putting them together is a lookup a reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds
from reconciler.api.objects import Key, Object
from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.render.reader import Path

_KEYED = ("data", "binaryData", "stringData")


class Part(NamedTuple):
    """Something that the object referred to must have: a key of a ConfigMap, a port of a Service."""

    wanted: str | int
    path: Path


class Reference(NamedTuple):
    """One object named by another; ``path`` is where."""

    key: Key
    path: Path
    rule: str
    severity: str = "error"
    parts: tuple[Part, ...] = ()
    why: str = ""


class Facts(NamedTuple):
    """What one document is and asks for."""

    key: Key
    references: tuple[Reference, ...] = ()
    selector: tuple[tuple[str, str], ...] = ()  # a Service's
    labels: tuple[tuple[str, str], ...] | None = None  # of the Pods that it is or makes


def key_of(obj: Object, default: str) -> Key | None:
    """Return an object's key with its namespace filled in; None for one without a readable name."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str) or not meta["name"]:
        return None
    key = Key.of(obj)
    namespaced = kinds.kind_of(obj).namespaced
    return key._replace(namespace=(key.namespace or default) if namespaced else "")


def facts_of(obj: Object, default: str) -> Facts | None:
    """Return what a sound object asks for; None where it has no name of its own."""
    key = key_of(obj, default)
    namespace = key.namespace if key is not None else default
    references: list[Reference] = []
    labels = None
    pod = pod_spec_of(obj)
    if pod is not None:
        path, spec = pod
        references += _of_pod(spec, path, namespace)
        holder: Any = obj
        for part in path[:-1]:
            holder = holder[part]
        labels = _pairs((holder.get("metadata") or {}).get("labels"))
    selector: tuple[tuple[str, str], ...] = ()
    spec = obj.get("spec") or {}
    match obj.get("apiVersion"), obj.get("kind"):
        case "networking.k8s.io/v1", "Ingress":
            references += _of_ingress(spec, namespace)
        case "v1", "Service":
            selector = _pairs(spec.get("selector"))
        case "apps/v1", "StatefulSet" if spec.get("serviceName"):
            references.append(Reference(
                Key("", "Service", namespace, spec["serviceName"]), ("spec", "serviceName"),
                "reference/service", "warning", why=": its Pods have no names of their own",
            ))  # fmt: skip
    if key is None and not references:
        return None
    return Facts(key or Key("", "", namespace, ""), tuple(references), selector, labels)


def check_references(
    documents: Sequence[Document],
    facts: Sequence[Facts | None],
    default: str,
    exists: Callable[[Key], bool],
) -> Iterator[Finding]:
    """Yield what is wrong between documents. One without facts is broken: it counts as there, and is not looked into."""
    by_key: dict[Key, Document] = {}
    for document, fact in zip(documents, facts, strict=True):
        key = fact.key if fact is not None else key_of(document.object, default)
        if key is None or not key.name:
            continue
        first = by_key.setdefault(key, document)
        if first is not document:
            where = f"{first.origin.file}:{first.origin.line}"
            told = f"{key.kind} {key.name} is defined twice: first at {where}"
            yield document.finding("reference/duplicate-object", "error", told)
    for document, fact in zip(documents, facts, strict=True):
        if fact is not None:
            for reference in fact.references:
                yield from _check(document, reference, by_key, exists)
    yield from _check_selectors(documents, facts)


def _check(
    document: Document,
    reference: Reference,
    by_key: dict[Key, Document],
    exists: Callable[[Key], bool],
) -> Iterator[Finding]:
    key, path, rule, severity, parts, why = reference
    found = by_key.get(key)
    if found is None:
        if not exists(key):
            told = f"there is no {key.kind} {key.name} in namespace {key.namespace}{why}"
            yield document.finding(rule, severity, told, path)
        return
    if not parts:
        return
    has = _parts_of(found.object)
    for wanted, inside in parts:
        if has is not None and wanted not in has:
            word = "port" if key.kind == "Service" else "key"
            names = ", ".join(sorted({str(h) for h in has})) or "none"
            told = f'{key.kind} {key.name} has no {word} "{wanted}": it has {names}'
            yield document.finding(f"{rule}-{word}", "error", told, inside)


def _parts_of(obj: Object) -> set[str | int] | None:
    """Return the names of what an object holds: a Service's ports, a ConfigMap's keys; None where it is unreadable."""
    has: set[str | int] = set()
    if obj.get("kind") == "Service":
        spec = obj.get("spec")
        ports = spec.get("ports") if isinstance(spec, dict) else None
        if not isinstance(ports, list | None) or not all(isinstance(p, dict) for p in ports or ()):
            return None
        if isinstance(spec, dict) and spec.get("type") == "ExternalName" and not ports:
            return None
        for port in ports or ():
            has |= {p for p in (port.get("port"), port.get("name")) if isinstance(p, str | int)}
        return has
    for field in _KEYED:
        held = obj.get(field)
        if held is not None and not isinstance(held, dict):
            return None
        has |= set(held or ())
    return has


def _check_selectors(
    documents: Sequence[Document], facts: Sequence[Facts | None]
) -> Iterator[Finding]:
    """Yield a warning for every Service that selects nothing, by an index of labels: linear in the set."""
    index: dict[tuple[str, tuple[str, str]], list[frozenset[tuple[str, str]]]] = {}
    for fact in facts:
        if fact is not None and fact.labels:
            labels = frozenset(fact.labels)
            for pair in fact.labels:
                held = index.setdefault((fact.key.namespace, pair), [])
                # Many workloads share labels; the same set twice tells nothing new.
                if not held or held[-1] != labels:
                    held.append(labels)
    for document, fact in zip(documents, facts, strict=True):
        if fact is None or not fact.selector:
            continue
        lists = [index.get((fact.key.namespace, pair)) or [] for pair in fact.selector]
        wanted = frozenset(fact.selector)
        if not any(wanted <= labels for labels in min(lists, key=len)):
            told = "the selector matches no Pod of this set"
            yield document.finding("reference/selector", "warning", told, ("spec", "selector"))


def _pairs(labels: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(k), str(v)) for k, v in (labels or {}).items())


def _of_pod(spec: dict[str, Any], path: Path, namespace: str) -> Iterator[Reference]:
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = (*path, field, index)
            for number, source in enumerate(container.get("envFrom") or ()):
                yield from _source(source, (*here, "envFrom", number), namespace)
            for number, variable in enumerate(container.get("env") or ()):
                value = variable.get("valueFrom") or {}
                yield from _source(value, (*here, "env", number, "valueFrom"), namespace)
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _volume(volume, (*path, "volumes", index), namespace)
    account = spec.get("serviceAccountName")
    if account and account != "default":
        key = Key("", "ServiceAccount", namespace, account)
        yield Reference(key, (*path, "serviceAccountName"), "reference/service-account", "warning")


def _source(source: dict[str, Any], path: Path, namespace: str) -> Iterator[Reference]:
    for field, kind in (
        ("configMapRef", "ConfigMap"),
        ("secretRef", "Secret"),
        ("configMapKeyRef", "ConfigMap"),
        ("secretKeyRef", "Secret"),
    ):
        ref = source.get(field)
        if ref:
            here = (*path, field)
            parts = (Part(ref["key"], (*here, "key")),) if ref.get("key") else ()
            yield from _config(kind, namespace, ref, "name", parts, here)


def _volume(volume: dict[str, Any], path: Path, namespace: str) -> Iterator[Reference]:
    yield from _files(volume, path, namespace, "secretName")
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        yield from _files(source, (*path, "projected", "sources", index), namespace, "name")
    claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if claim:
        key = Key("", "PersistentVolumeClaim", namespace, claim)
        yield Reference(key, (*path, "persistentVolumeClaim", "claimName"), "reference/claim")


def _files(
    source: dict[str, Any], path: Path, namespace: str, secret_name: str
) -> Iterator[Reference]:
    for field, kind, name in (
        ("configMap", "ConfigMap", "name"),
        ("secret", "Secret", secret_name),
    ):
        ref = source.get(field)
        if ref:
            here = (*path, field)
            parts = tuple(
                Part(item["key"], (*here, "items", number, "key"))
                for number, item in enumerate(ref.get("items") or ())
            )
            yield from _config(kind, namespace, ref, name, parts, here)


def _config(
    kind: str,
    namespace: str,
    ref: dict[str, Any],
    name_field: str,
    parts: tuple[Part, ...],
    path: Path,
) -> Iterator[Reference]:
    name = ref.get(name_field)
    if name and not ref.get("optional"):
        rule = "reference/config-map" if kind == "ConfigMap" else "reference/secret"
        key = Key("", kind, namespace, name)
        yield Reference(key, (*path, name_field), rule, parts=parts)


def _of_ingress(spec: dict[str, Any], namespace: str) -> Iterator[Reference]:
    backends: list[tuple[dict[str, Any], Path]] = []
    if spec.get("defaultBackend"):
        backends.append((spec["defaultBackend"], ("spec", "defaultBackend")))
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, entry in enumerate((rule.get("http") or {}).get("paths") or ()):
            path = ("spec", "rules", index, "http", "paths", number, "backend")
            backends.append((entry.get("backend") or {}, path))
    for backend, inside in backends:
        service = backend.get("service") or {}
        if not service.get("name"):
            continue
        port = service.get("port") or {}
        wanted = port.get("number") or port.get("name")
        field = "number" if port.get("number") else "name"
        parts = (Part(wanted, (*inside, "service", "port", field)),) if wanted else ()
        key = Key("", "Service", namespace, service["name"])
        yield Reference(key, (*inside, "service", "name"), "reference/service", parts=parts)
    for index, entry in enumerate(spec.get("tls") or ()):
        if entry.get("secretName"):
            key = Key("", "Secret", namespace, entry["secretName"])
            yield Reference(key, ("spec", "tls", index, "secretName"), "reference/tls")
