"""Which backend an Ingress sends a request to: host, then path, as Kubernetes matches them (I03-I12). Pure."""

from __future__ import annotations

import re
from bisect import insort
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from reconciler.api.objects import annotations_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object

CONTROLLER = "reconciler.dev/ingress"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"


class Backend(NamedTuple):
    """A Service's port, by number or name."""

    namespace: str
    service: str
    port: str | int


class Rule(NamedTuple):
    """One path of one host. ``order`` breaks ties: the older Ingress wins."""

    host: str
    path: str
    exact: bool
    backend: Backend
    order: tuple[str, str, str, int]


def rules_of(ingress: Object) -> list[Rule]:
    """Return an Ingress's rules; its default backend is a rule for every host and path that comes last."""
    meta, spec = ingress["metadata"], ingress.get("spec") or {}
    base = _order(ingress)
    found: list[Rule] = []
    number = 0
    for rule in spec.get("rules") or ():
        host = (rule.get("host") or "").lower()
        for entry in (rule.get("http") or {}).get("paths") or ():
            backend = _backend(meta["namespace"], entry.get("backend") or {})
            if backend is not None:
                exact = entry.get("pathType") == "Exact"
                found.append(Rule(host, entry.get("path") or "/", exact, backend, (*base, number)))
                number += 1
    default = _backend(meta["namespace"], spec.get("defaultBackend") or {})
    if default is not None:
        found.append(Rule("", "", exact=False, backend=default, order=(*base, number)))
    return found


def _backend(namespace: str, backend: dict[str, Any]) -> Backend | None:
    service = backend.get("service")
    if not service:
        return None
    port = service.get("port") or {}
    return Backend(namespace, service["name"], port.get("number") or port.get("name") or "")


_UNRESERVED = re.compile(r"%(2[dDeE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])")


def normal_path(target: str) -> str | None:
    """Return the path that rules are matched with; None for one that leads out of the root.

    Dot segments are resolved first, written as ``%2e`` or not: a request for ``/public/../admin`` is one for
    ``/admin`` to whoever answers it, so it must be matched as one (RFC 3986, 6.2.2).

    >>> normal_path("/public/%2E%2e/admin?q=1")
    '/admin'
    """
    path = _UNRESERVED.sub(lambda m: chr(int(m[1], 16)), target.partition("?")[0])
    if "/." not in path:
        return path
    kept: list[str] = []
    parts = path.split("/")[1:]
    for part in parts:
        if part == "..":
            if not kept:
                return None
            kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def path_matches(rule: Rule, path: str) -> bool:
    """Whether a rule's path covers a request's: exactly, or element by element (I03 to I06).

    >>> path_matches(Rule("", "/a", False, Backend("", "", 0), ("", "", "", 0)), "/ab")
    False
    """
    if rule.exact:
        return rule.path == path
    prefix = rule.path.rstrip("/")
    return not prefix or path == prefix or path.startswith(prefix + "/")


class _Claim(NamedTuple):
    """A host's certificate, as one Ingress wants it. The least one counts: the oldest Ingress's."""

    order: tuple[str, str, str]
    secret: tuple[str, str]


class IngressTable:
    """The rules of all Ingresses that are ours, and the certificates they name.

    A change of an Ingress costs what the hosts it names have; a change of an IngressClass, all Ingresses.
    """

    def __init__(self) -> None:
        self._ingresses: dict[tuple[str, str], Object] = {}
        self._classes: dict[str, Object] = {}
        self._hosts: dict[str, list[Rule]] = {}
        self._tls: dict[str, list[_Claim]] = {}

    def set_ingress(self, name: tuple[str, str], ingress: Object | None) -> None:
        """Take in an Ingress as it is now (None: it is gone)."""
        old = self._ingresses.pop(name, None)
        if old is not None:
            self._remove(old)
        if ingress is not None:
            self._ingresses[name] = ingress
            if self.is_ours(ingress):
                self._add(ingress)

    def set_class(self, name: str, ingress_class: Object | None) -> None:
        """Take in an IngressClass as it is now (None: it is gone)."""
        if ingress_class is None:
            self._classes.pop(name, None)
        else:
            self._classes[name] = ingress_class
        self._hosts.clear()
        self._tls.clear()
        for ingress in self._ingresses.values():
            if self.is_ours(ingress):
                self._add(ingress)

    def is_ours(self, ingress: Object) -> bool:
        """Whether an Ingress is of a class that this proxy serves (I12)."""
        name = (ingress.get("spec") or {}).get("ingressClassName")
        name = name or annotations_of(ingress).get(CLASS_ANNOTATION)
        if name:
            found = self._classes.get(name)
            return found is not None and (found.get("spec") or {}).get("controller") == CONTROLLER
        return any(
            annotations_of(c).get(DEFAULT_ANNOTATION) == "true"
            and (c.get("spec") or {}).get("controller") == CONTROLLER
            for c in self._classes.values()
        )

    def _add(self, ingress: Object) -> None:
        for rule in rules_of(ingress):
            insort(self._hosts.setdefault(rule.host, []), rule, key=_precedence)
        for host, claim in _claims(ingress):
            insort(self._tls.setdefault(host, []), claim)

    def _remove(self, ingress: Object) -> None:
        for host in {rule.host for rule in rules_of(ingress)} & self._hosts.keys():
            place = _order(ingress)
            kept = [r for r in self._hosts[host] if r.order[:3] != place]
            _keep(self._hosts, host, kept)
        for host, claim in _claims(ingress):
            if host in self._tls:
                claims = [c for c in self._tls[host] if c.order != claim.order]
                _keep(self._tls, host, claims)

    def rules(self) -> dict[str, tuple[Rule, ...]]:
        """Return every host's rules, in the order they are tried."""
        return {host: tuple(rules) for host, rules in self._hosts.items()}

    def match(self, host: str, path: str) -> Backend | None:
        """Return where a request goes; ``host`` without a port. None: no rule covers it (I07, I09, I10)."""
        host = host.lower()
        label, _, parent = host.partition(".")
        for pattern in (host, f"*.{parent}" if label and parent else None, ""):
            if pattern is None:
                continue
            for rule in self._hosts.get(pattern, ()):
                if path_matches(rule, path):
                    return rule.backend
        return None

    def secret_for(self, host: str) -> tuple[str, str] | None:
        """Return the Secret that holds the certificate for a host name."""
        host = host.lower()
        _, _, parent = host.partition(".")
        for pattern in (host, f"*.{parent}", ""):
            claims = self._tls.get(pattern)
            if claims:
                return claims[0].secret
        return None


def _order(ingress: Object) -> tuple[str, str, str]:
    meta = ingress["metadata"]
    return (meta.get("creationTimestamp") or "", meta["namespace"], meta["name"])


def _precedence(rule: Rule) -> tuple[bool, int, bool, tuple[str, str, str, int]]:
    """Exact paths first (one that matches is never shorter than a prefix), then the longest, then the oldest."""
    return (not rule.exact, -len(rule.path.rstrip("/")), rule.path == "", rule.order)


def _claims(ingress: Object) -> list[tuple[str, _Claim]]:
    place = _order(ingress)
    return [
        (host.lower(), _Claim(place, (place[1], entry["secretName"])))
        for entry in (ingress.get("spec") or {}).get("tls") or ()
        if entry.get("secretName")
        for host in entry.get("hosts") or [""]
    ]


T = TypeVar("T")


def _keep(table: dict[str, list[T]], host: str, left: list[T]) -> None:
    if left:
        table[host] = left
    else:
        del table[host]
