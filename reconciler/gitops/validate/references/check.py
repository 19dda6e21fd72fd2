"""Putting documents together: every reference is a lookup, every conflict a key that was there before. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import Key, Object
from reconciler.gitops.validate.references.security import check_pod_security
from reconciler.gitops.validate.references.selected import check_selectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.references.reference import Facts, Reference

_KEYED = ("data", "binaryData", "stringData")
#: Namespaces that every cluster has.
_GIVEN = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


class _Set(NamedTuple):
    """All documents by what they are."""

    by_key: dict[Key, Document]
    names: dict[tuple[str, str], list[str]]  # (kind, namespace) -> names, for hints
    exists: Callable[[Key], bool]


def check_references(
    documents: Sequence[Document],
    keys: Sequence[Key | None],
    facts: Sequence[Facts | None],
    exists: Callable[[Key], bool],
) -> Iterator[Finding]:
    """Yield what is wrong between documents. One without facts is broken: it counts as there, and is not looked into."""
    known = _Set({}, {}, exists)
    for document, key in zip(documents, keys, strict=True):
        if key is None:
            continue
        first = known.by_key.setdefault(key, document)
        if first is not document:
            where = f"{first.origin.file}:{first.origin.line}"
            told = f"{key.kind} {key.name} is defined twice: first at {where}"
            yield document.finding("reference/duplicate-object", "error", told)
        else:
            known.names.setdefault((key.kind, key.namespace), []).append(key.name)
    for document, fact in zip(documents, facts, strict=True):
        if fact is not None:
            for reference in fact.references:
                yield from _check(document, reference, known)
            yield from _scaled(document, fact, known)
    yield from _check_namespaces(documents, facts, known)
    yield from _check_conflicts(documents, facts)
    yield from check_selectors(documents, facts)
    yield from check_pod_security(documents, facts)


def _check(document: Document, reference: Reference, known: _Set) -> Iterator[Finding]:
    key, path, rule, severity, parts, why = reference
    found = known.by_key.get(key)
    if found is None:
        if not known.exists(key):
            where = f" in namespace {key.namespace}" if key.namespace else ""
            told = f"there is no {key.kind} {key.name}{where}{why}"
            near = difflib.get_close_matches(
                key.name, known.names.get((key.kind, key.namespace), ()), 1, 0.6
            )
            hint = f'did you mean "{near[0]}"?' if near else ""
            yield document.finding(
                rule, severity, told, path, hint, expected=f"a {key.kind}", got=key.name
            )
        return
    yield from _kinds(document, reference, found.object)
    if not parts:
        return
    has = _parts_of(found.object)
    for wanted, inside in parts:
        if has is not None and wanted not in has:
            word = "port" if key.kind == "Service" else "key"
            names = ", ".join(sorted({str(h) for h in has})) or "none"
            told = f'{key.kind} {key.name} has no {word} "{wanted}": it has {names}'
            yield document.finding(
                f"{rule}-{word}", "error", told, inside, expected=f"one of {names}", got=str(wanted)
            )


def _kinds(document: Document, reference: Reference, found: Object) -> Iterator[Finding]:
    """Yield where what is referred to is there, but not of the sort that it must be."""
    if reference.rule == "reference/tls":
        kind = found.get("type") or "Opaque"
        if kind != "kubernetes.io/tls":
            told = f"Secret {reference.key.name} is of type {kind}, not kubernetes.io/tls"
            yield document.finding("reference/tls-type", "warning", told, reference.path)
    elif reference.path == ("spec", "serviceName"):
        spec = found.get("spec")
        if isinstance(spec, dict) and spec.get("clusterIP") != "None":
            told = (
                f"Service {reference.key.name} is not headless: its Pods have no names of their own"
            )
            hint = "give the Service clusterIP: None"
            yield document.finding(
                "reference/service-headless", "warning", told, reference.path, hint
            )


def _scaled(document: Document, fact: Facts, known: _Set) -> Iterator[Finding]:
    target = known.by_key.get(fact.scales) if fact.scales is not None else None
    spec = target.object.get("spec") if target is not None else None
    if target is not None and isinstance(spec, dict) and spec.get("replicas") is not None:
        name = document.object["metadata"].get("name")
        told = f"replicas belong to HorizontalPodAutoscaler {name}: every sync would set them back"
        hint = "leave replicas out"
        yield target.finding(
            "reference/scaled-replicas", "warning", told, ("spec", "replicas"), hint
        )


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


def _check_namespaces(
    documents: Sequence[Document], facts: Sequence[Facts | None], known: _Set
) -> Iterator[Finding]:
    """Yield namespaces that are not in a set which brings namespaces of its own."""
    own = known.names.get(("Namespace", ""), [])
    if not own:
        return
    have = _GIVEN.union(own)
    for document, fact in zip(documents, facts, strict=True):
        given = document.name.namespace
        if given and fact is not None and fact.key.namespace and given not in have:
            if known.exists(Key("", "Namespace", "", given)):
                continue
            near = difflib.get_close_matches(given, own, 1, 0.6)
            hint = f'did you mean "{near[0]}"?' if near else ""
            told = f"there is no Namespace {given} in this set"
            path = ("metadata", "namespace")
            yield document.finding("reference/namespace", "warning", told, path, hint, got=given)


def _check_conflicts(
    documents: Sequence[Document], facts: Sequence[Facts | None]
) -> Iterator[Finding]:
    """Yield what only one can have: a route of an Ingress, a port of the Nodes."""
    routes: dict[tuple[str, str, str], tuple[str, Document]] = {}
    ports: dict[str | int, Document] = {}
    for document, fact in zip(documents, facts, strict=True):
        if fact is None:
            continue
        for claim, backend, path in fact.routes:
            was, first = routes.setdefault(claim, (f"{fact.key.namespace} {backend}", document))
            if was != f"{fact.key.namespace} {backend}":
                host, text, kind = claim
                told = f"{kind} path {text} of host {host or '*'} leads elsewhere already: {_named(first)}"
                yield document.finding("reference/ingress-conflict", "warning", told, path)
        for number, path in fact.node_ports:
            first = ports.setdefault(number, document)
            if first is not document:
                told = f"node port {number} is taken already: {_named(first)}"
                yield document.finding("reference/node-port", "error", told, path)


def _named(document: Document) -> str:
    obj = document.object
    return f"{obj.get('kind')} {obj['metadata'].get('name')} at {document.origin.file}:{document.origin.line}"
