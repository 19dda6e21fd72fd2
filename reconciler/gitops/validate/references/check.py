"""Putting documents together: every reference is a lookup, every conflict a key that was there before. Pure.

A set is gone through twice: to know what there is, and to hold each document against that. Of what is referred to and is
not there, the names that may have been meant are looked for at the end, for all at once.
"""

from __future__ import annotations

import difflib
import functools
from array import array
from typing import TYPE_CHECKING

from reconciler.api.objects import Key, Object
from reconciler.gitops.validate.references.conflicts import Conflicts
from reconciler.gitops.validate.references.security import PodSecurity
from reconciler.gitops.validate.references.selected import check_selector
from reconciler.gitops.validate.references.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.judged import Judged, Said
    from reconciler.gitops.validate.references.reference import Facts, Reference

_KEYED = ("data", "binaryData", "stringData")
#: Namespaces that every cluster has.
_GIVEN = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})

#: Of so many objects that others refer to it is kept what they hold.
_MOST_PARTS = 1024


def check_references(judged: Judged, exists: Callable[[Key], bool]) -> Iterator[Finding]:
    """Yield what is wrong between documents. One without facts is broken: it counts as there, and is not looked into.

    ``exists`` says of an object outside of the set that it is there.
    """
    survey = Survey(judged)
    for number, first in survey.twice():
        document, where = judged.document(number), judged.origin(first)
        what = f"{document.name.kind} {document.name.name}"
        told = f"{what} is defined twice: first at {where.file}:{where.line}"
        yield document.finding("reference/duplicate-object", "error", told)
    looking = _Looking(survey, exists)
    conflicts, security = Conflicts(judged), PodSecurity(survey)
    for number, said in enumerate(judged.all_said()):
        if said.facts is not None:
            yield from looking.check(number, said.facts)
            yield from looking.check_namespace(number, said, said.facts)
            yield from conflicts.check(number, said.facts)
            yield from check_selector(judged, number, said.facts, survey.labels)
            yield from security.check(number, said.facts)
    yield from looking.missing()


class _Looking:
    """Documents held against a set, one after another."""

    def __init__(self, survey: Survey, exists: Callable[[Key], bool]) -> None:
        self._survey = survey
        self._judged = survey.judged
        self._exists = exists
        self._lacking = array("I")  # documents that name what is not there
        self._namespaces = _GIVEN.union(survey.namespaces)
        self._parts = functools.lru_cache(_MOST_PARTS)(
            lambda number: _parts_of(self._judged.document(number).object)
        )

    def check(self, number: int, facts: Facts) -> Iterator[Finding]:
        """Yield what is wrong with what a document refers to; what is not there is only noted."""
        lacks = False
        for reference in facts.references:
            found = self._survey.find(reference.key)
            if found is not None:
                yield from self._look_into(number, reference, found)
            else:
                lacks = lacks or not self._is_there(reference.key)
        if lacks:
            self._lacking.append(number)
        if facts.scales is not None:
            yield from self._scaled(number, facts.scales)

    def check_namespace(self, number: int, said: Said, facts: Facts) -> Iterator[Finding]:
        """Yield a namespace that is not in a set which brings namespaces of its own."""
        own, given = self._survey.namespaces, said.namespace
        if not own or not given or not facts.key.namespace or given in self._namespaces:
            return
        if self._exists(Key("", "Namespace", "", given)):
            return
        told = f"there is no Namespace {given} in this set"
        path = ("metadata", "namespace")
        yield self._judged.document(number).finding(
            "reference/namespace", "warning", told, path, _meant(given, own), got=given
        )

    def missing(self) -> Iterator[Finding]:
        """Yield what was named and is not there."""
        lacking = [(number, self._missing_of(number)) for number in self._lacking]
        groups = {(r.key.kind, r.key.namespace) for _, found in lacking for r in found}
        names = self._survey.names(groups)
        for number, found in lacking:
            for key, path, rule, severity, _, why in found:
                where = f" in namespace {key.namespace}" if key.namespace else ""
                yield self._judged.document(number).finding(
                    rule, severity, f"there is no {key.kind} {key.name}{where}{why}", path,
                    _meant(key.name, names[key.kind, key.namespace]),
                    expected=f"a {key.kind}", got=key.name,
                )  # fmt: skip

    def _missing_of(self, number: int) -> list[Reference]:
        facts = self._judged.said(number).facts
        return [
            r
            for r in (facts.references if facts is not None else ())
            if self._survey.find(r.key) is None and not self._is_there(r.key)
        ]

    def _is_there(self, key: Key) -> bool:
        """Whether an object that is not in the set is, or will be, there."""
        return self._survey.is_made(key) or self._exists(key)

    def _look_into(self, number: int, reference: Reference, found: int) -> Iterator[Finding]:
        document = self._judged.document
        if reference.rule == "reference/tls" or reference.path == ("spec", "serviceName"):
            yield from _kinds(document(number), reference, document(found).object)
        if not reference.parts:
            return
        key, has = reference.key, self._parts(found)
        for wanted, inside in reference.parts:
            if has is not None and wanted not in has:
                word = "port" if key.kind == "Service" else "key"
                names = ", ".join(sorted({str(h) for h in has})) or "none"
                told = f'{key.kind} {key.name} has no {word} "{wanted}": it has {names}'
                yield document(number).finding(
                    f"{reference.rule}-{word}", "error", told, inside,
                    expected=f"one of {names}", got=str(wanted),
                )  # fmt: skip

    def _scaled(self, number: int, scales: Key) -> Iterator[Finding]:
        at = self._survey.find(scales)
        if at is None:
            return
        target = self._judged.document(at)
        spec = target.object.get("spec")
        if isinstance(spec, dict) and spec.get("replicas") is not None:
            name = self._judged.document(number).object["metadata"].get("name")
            told = (
                f"replicas belong to HorizontalPodAutoscaler {name}: every sync would set them back"
            )
            hint = "leave replicas out"
            yield target.finding(
                "reference/scaled-replicas", "warning", told, ("spec", "replicas"), hint
            )


def _meant(name: str, known: Sequence[str]) -> str:
    """Return the hint at the name that was probably meant."""
    near = difflib.get_close_matches(name, known, 1, 0.6)
    return f'did you mean "{near[0]}"?' if near else ""


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
