"""What documents say of one another: names that must exist, keys that must be in them, one object a key. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds, selectors
from reconciler.api.objects import Key, Object
from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.render.document import Path


class _Set(NamedTuple):
    """The documents by key, and what else exists."""

    by_key: dict[Key, Document]
    default: str
    exists: Callable[[Key], bool]

    def namespace(self, obj: Object) -> str:
        return str((obj.get("metadata") or {}).get("namespace") or self.default)

    def find(self, group: str, kind: str, namespace: str, name: str) -> tuple[bool, Object | None]:
        """Return (is it there?, the object where it is of this set)."""
        key = Key(group, kind, namespace, name)
        document = self.by_key.get(key)
        if document is not None:
            return True, document.object
        return self.exists(key), None


def check_references(
    everything: Sequence[Document],
    sound: Sequence[Document],
    default_namespace: str,
    exists: Callable[[Key], bool],
) -> Iterator[Finding]:
    """Yield what is wrong between documents. What a broken document refers to is not looked at."""
    by_key: dict[Key, Document] = {}
    for document in everything:
        key = _key(document.object, default_namespace)
        if not key.name:
            continue
        first = by_key.setdefault(key, document)
        if first is not document:
            where = f"{first.origin.file}:{first.origin.line}"
            told = f"{key.kind} {key.name} is defined twice: first at {where}"
            yield document.finding("reference/duplicate-object", "error", told)
    found = _Set(by_key, default_namespace, exists)
    for document in sound:
        yield from _pod_references(document, found)
        match document.object.get("kind"):
            case "Ingress":
                yield from _ingress(document, found)
            case "Service":
                yield from _service(document, found, sound)
            case "StatefulSet":
                yield from _stateful_set(document, found)


def _key(obj: Object, default: str) -> Key:
    key = Key.of(obj)
    if kinds.kind_of(obj).namespaced:
        return key._replace(namespace=key.namespace or default)
    return key._replace(namespace="")


def _pod_references(document: Document, found: _Set) -> Iterator[Finding]:
    spec = pod_spec_of(document.object)
    if spec is None:
        return
    path, pod = spec
    namespace = found.namespace(document.object)
    for field in ("containers", "initContainers"):
        for index, container in enumerate(pod.get(field) or ()):
            here = (*path, field, index)
            for number, source in enumerate(container.get("envFrom") or ()):
                yield from _source(document, found, namespace, source, (*here, "envFrom", number))
            for number, variable in enumerate(container.get("env") or ()):
                value = variable.get("valueFrom") or {}
                yield from _source(
                    document, found, namespace, value, (*here, "env", number, "valueFrom")
                )
    for index, volume in enumerate(pod.get("volumes") or ()):
        yield from _volume(document, found, namespace, volume, (*path, "volumes", index))
    account = pod.get("serviceAccountName")
    if (
        account
        and account != "default"
        and not found.find("", "ServiceAccount", namespace, account)[0]
    ):
        told = f"there is no ServiceAccount {account} in namespace {namespace}"
        yield document.finding(
            "reference/service-account", "warning", told, (*path, "serviceAccountName")
        )


def _source(
    document: Document, found: _Set, namespace: str, source: dict[str, Any], path: Path
) -> Iterator[Finding]:
    for field, kind in (
        ("configMapRef", "ConfigMap"),
        ("secretRef", "Secret"),
        ("configMapKeyRef", "ConfigMap"),
        ("secretKeyRef", "Secret"),
    ):
        ref = source.get(field)
        if ref:
            keys = [(ref["key"], ("key",))] if ref.get("key") else []
            yield from _config(document, found, kind, namespace, ref, "name", keys, (*path, field))


def _volume(
    document: Document, found: _Set, namespace: str, volume: dict[str, Any], path: Path
) -> Iterator[Finding]:
    for field, kind, name in (
        ("configMap", "ConfigMap", "name"),
        ("secret", "Secret", "secretName"),
    ):
        if volume.get(field):
            yield from _items(document, found, kind, namespace, volume[field], name, (*path, field))
    for index, part in enumerate((volume.get("projected") or {}).get("sources") or ()):
        for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if part.get(field):
                inside = (*path, "projected", "sources", index, field)
                yield from _items(document, found, kind, namespace, part[field], "name", inside)
    claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if claim and not found.find("", "PersistentVolumeClaim", namespace, claim)[0]:
        told = f"there is no PersistentVolumeClaim {claim} in namespace {namespace}"
        where = (*path, "persistentVolumeClaim", "claimName")
        yield document.finding("reference/claim", "error", told, where)


def _items(
    document: Document,
    found: _Set,
    kind: str,
    namespace: str,
    ref: dict[str, Any],
    name: str,
    path: Path,
) -> Iterator[Finding]:
    keys = [
        (item["key"], ("items", number, "key"))
        for number, item in enumerate(ref.get("items") or ())
    ]
    yield from _config(document, found, kind, namespace, ref, name, keys, path)


def _config(
    document: Document,
    found: _Set,
    kind: str,
    namespace: str,
    ref: dict[str, Any],
    name_field: str,
    keys: Sequence[tuple[str, Path]],
    path: Path,
) -> Iterator[Finding]:
    """Check a reference to a ConfigMap or Secret, and to keys in it."""
    if ref.get("optional"):
        return
    name = ref.get(name_field) or ""
    there, obj = found.find("", kind, namespace, name)
    rule = f"reference/{'config-map' if kind == 'ConfigMap' else 'secret'}"
    if not there:
        told = f"there is no {kind} {name} in namespace {namespace}"
        yield document.finding(rule, "error", told, (*path, name_field))
        return
    if obj is None:
        return
    has = {k for f in ("data", "binaryData", "stringData") for k in obj.get(f) or {}}
    for key, inside in keys:
        if key not in has:
            told = f"{kind} {name} has no key {key!r}: it has {', '.join(sorted(has)) or 'none'}"
            yield document.finding(f"{rule}-key", "error", told, (*path, *inside))


def _ingress(document: Document, found: _Set) -> Iterator[Finding]:
    spec = document.object.get("spec") or {}
    namespace = found.namespace(document.object)
    if spec.get("defaultBackend"):
        yield from _backend(
            document, found, namespace, spec["defaultBackend"], ("spec", "defaultBackend")
        )
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, entry in enumerate((rule.get("http") or {}).get("paths") or ()):
            path = ("spec", "rules", index, "http", "paths", number, "backend")
            yield from _backend(document, found, namespace, entry.get("backend") or {}, path)
    for index, entry in enumerate(spec.get("tls") or ()):
        secret = entry.get("secretName")
        if secret and not found.find("", "Secret", namespace, secret)[0]:
            told = f"there is no Secret {secret} in namespace {namespace}"
            yield document.finding(
                "reference/tls", "error", told, ("spec", "tls", index, "secretName")
            )


def _backend(
    document: Document, found: _Set, namespace: str, backend: dict[str, Any], path: Path
) -> Iterator[Finding]:
    service = backend.get("service") or {}
    name = service.get("name")
    if not name:
        return
    there, obj = found.find("", "Service", namespace, name)
    if not there:
        told = f"there is no Service {name} in namespace {namespace}"
        yield document.finding("reference/service", "error", told, (*path, "service", "name"))
    elif obj is not None:
        ports = (obj.get("spec") or {}).get("ports") or ()
        port = service.get("port") or {}
        wanted = port.get("number") or port.get("name")
        if wanted and not any(wanted in (p.get("port"), p.get("name")) for p in ports):
            told = f"Service {name} has no port {wanted}"
            yield document.finding(
                "reference/service-port", "error", told, (*path, "service", "port")
            )


def _service(document: Document, found: _Set, sound: Sequence[Document]) -> Iterator[Finding]:
    spec = document.object.get("spec") or {}
    selector = spec.get("selector")
    if not selector:
        return
    namespace = found.namespace(document.object)
    wanted = selectors.from_labels(selector)
    for other in sound:
        obj = other.object
        if pod_spec_of(obj) is None or found.namespace(obj) != namespace:
            continue
        holder = obj if obj.get("kind") == "Pod" else (obj.get("spec") or {}).get("template") or {}
        if wanted.matches((holder.get("metadata") or {}).get("labels") or {}):
            return
    told = "the selector matches no Pod of this set"
    yield document.finding("reference/selector", "warning", told, ("spec", "selector"))


def _stateful_set(document: Document, found: _Set) -> Iterator[Finding]:
    name = (document.object.get("spec") or {}).get("serviceName")
    namespace = found.namespace(document.object)
    if name and not found.find("", "Service", namespace, name)[0]:
        told = f"there is no Service {name} in namespace {namespace}: its Pods have no names"
        yield document.finding("reference/service", "warning", told, ("spec", "serviceName"))
