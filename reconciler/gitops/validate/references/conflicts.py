"""What only one can have: a route of an Ingress, a port of the Nodes. Pure."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from reconciler.gitops.validate.references.firsts import Firsts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.validate.judged import Judged
    from reconciler.gitops.validate.references.reference import Facts


class Conflicts:
    """What was claimed so far, by hashes; ports are few."""

    def __init__(self, judged: Judged) -> None:
        self._judged = judged
        self._claims = Firsts()
        self._routes = array("I")  # by claim: who was first
        self._backends = array("q")
        self._ports: dict[str | int, int] = {}

    def check(self, number: int, facts: Facts) -> Iterator[Finding]:
        """Yield what a document claims and another had claimed before."""
        for claim, backend, path in facts.routes:
            leads = hash((facts.key.namespace, backend))
            known = self._claims.add(hash(claim), len(self._routes))
            if known == len(self._routes):
                self._routes.append(number)
                self._backends.append(leads)
            elif self._backends[known] != leads:
                host, text, kind = claim
                told = (
                    f"{kind} path {text} of host {host or '*'} leads elsewhere already: "
                    f"{self._named(self._routes[known])}"
                )
                yield self._judged.document(number).finding(
                    "reference/ingress-conflict", "warning", told, path
                )
        for port, path in facts.node_ports:
            first = self._ports.setdefault(port, number)
            if first != number:
                told = f"node port {port} is taken already: {self._named(first)}"
                yield self._judged.document(number).finding(
                    "reference/node-port", "error", told, path
                )

    def _named(self, number: int) -> str:
        document = self._judged.document(number)
        obj, origin = document.object, document.origin
        return f"{obj.get('kind')} {obj['metadata'].get('name')} at {origin.file}:{origin.line}"
