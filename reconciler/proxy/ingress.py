"""Which backend an Ingress sends a request to: host, then path, as Kubernetes matches them (I01-I12). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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
    base = (meta.get("creationTimestamp") or "", meta["namespace"], meta["name"])
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


def path_matches(rule: Rule, path: str) -> bool:
    """Whether a rule's path covers a request's: exactly, or element by element (I03).

    >>> path_matches(Rule("", "/a", False, Backend("", "", 0), ("", "", "", 0)), "/ab")
    False
    """
    if rule.exact:
        return rule.path == path
    prefix = rule.path.rstrip("/")
    return not prefix or path == prefix or path.startswith(prefix + "/")


def host_rank(pattern: str, host: str) -> int:
    """Return how well a rule's host matches: 3 exactly, 2 by a wildcard for one label, 1 any, 0 not at all."""
    if not pattern:
        return 1
    if pattern == host:
        return 3
    if pattern.startswith("*."):
        label, _, rest = host.partition(".")
        return 2 if label and rest == pattern[2:] else 0
    return 0


class IngressTable:
    """The rules of all Ingresses that are ours, and the certificates they name."""

    def __init__(self) -> None:
        self._ingresses: dict[tuple[str, str], Object] = {}
        self._classes: dict[str, Object] = {}
        self._hosts: dict[str, list[Rule]] = {}
        self.tls: dict[str, tuple[str, str]] = {}  # host -> (namespace, Secret)

    def set_ingress(self, name: tuple[str, str], ingress: Object | None) -> None:
        """Take in an Ingress as it is now (None: it is gone)."""
        if ingress is None:
            self._ingresses.pop(name, None)
        else:
            self._ingresses[name] = ingress
        self._compile()

    def set_class(self, name: str, ingress_class: Object | None) -> None:
        """Take in an IngressClass as it is now (None: it is gone)."""
        if ingress_class is None:
            self._classes.pop(name, None)
        else:
            self._classes[name] = ingress_class
        self._compile()

    def is_ours(self, ingress: Object) -> bool:
        """Whether an Ingress is of a class that this proxy serves (I08)."""
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

    def _compile(self) -> None:
        self._hosts = {}
        self.tls = {}
        for ingress in self._ingresses.values():
            if not self.is_ours(ingress):
                continue
            for rule in rules_of(ingress):
                self._hosts.setdefault(rule.host, []).append(rule)
            for entry in (ingress.get("spec") or {}).get("tls") or ():
                secret = entry.get("secretName")
                for host in entry.get("hosts") or [""]:
                    if secret:
                        self.tls[host.lower()] = (ingress["metadata"]["namespace"], secret)
        for rules in self._hosts.values():
            # Exact paths first, then the longest, then the oldest.
            rules.sort(key=lambda r: (not r.exact, -len(r.path.rstrip("/")), r.path == "", r.order))

    def match(self, host: str, path: str) -> Backend | None:
        """Return where a request goes; ``host`` without a port. None: no rule covers it."""
        host = host.lower()
        _, _, parent = host.partition(".")
        for pattern in (host, f"*.{parent}" if parent else None, ""):
            if pattern is None or host_rank(pattern, host) == 0:
                continue
            for rule in self._hosts.get(pattern, ()):
                if path_matches(rule, path):
                    return rule.backend
        return None

    def secret_for(self, host: str) -> tuple[str, str] | None:
        """Return the Secret that holds the certificate for a host name."""
        host = host.lower()
        _, _, parent = host.partition(".")
        return self.tls.get(host) or self.tls.get(f"*.{parent}") or self.tls.get("")
