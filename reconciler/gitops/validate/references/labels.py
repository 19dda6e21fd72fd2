"""Which Pods of a set have some labels: numbers and hashes, no objects. Pure."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from reconciler.gitops.validate.references.firsts import Firsts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.validate.references.reference import Pairs


class Labels:
    """Sets of labels, each kept once a namespace and names of ports: many workloads share them.

    Every label of a set is an entry; entries of one label are a chain from the newest to the oldest.
    """

    def __init__(self) -> None:
        self._sets = Firsts()
        self._starts = array("I", [0])  # by set: its first entry; behind the last set its end
        self._ports: list[frozenset[str]] = []  # by set
        self._shared: dict[
            frozenset[str], frozenset[str]
        ] = {}  # most workloads name their ports alike
        self._hashes = array("q")
        self._owners = array("I")
        self._before = array("I")  # by entry: the one before it in its chain, from 1; 0: none
        self._chains = Firsts()
        self._newest = array("I")
        self._lengths = array("I")

    def add(self, namespace: str, labels: Pairs, ports: frozenset[str]) -> None:
        """Take in the labels of a workload's Pods, and the names of their ports."""
        owner = len(self._ports)
        if self._sets.add(hash((namespace, frozenset(labels), ports)), owner) != owner:
            return
        self._ports.append(self._shared.setdefault(ports, ports))
        for pair in labels:
            hashed = hash((namespace, pair))
            chain = self._chains.add(hashed, len(self._newest))
            if chain == len(self._newest):
                self._newest.append(0)
                self._lengths.append(0)
            self._hashes.append(hashed)
            self._owners.append(owner)
            self._before.append(self._newest[chain])
            self._newest[chain] = len(self._hashes)
            self._lengths[chain] += 1
        self._starts.append(len(self._hashes))

    def select(self, namespace: str, selector: Pairs) -> Iterator[frozenset[str]]:
        """Yield the names of ports of all Pods that have every label of a selector."""
        wanted = {hash((namespace, pair)) for pair in selector}
        chains = [self._chains.find(hashed) for hashed in wanted]
        known = [chain for chain in chains if chain is not None]
        if len(known) < len(chains):
            return
        at = self._newest[min(known, key=self._lengths.__getitem__)]
        while at:
            owner = self._owners[at - 1]
            if wanted <= set(self._hashes[self._starts[owner] : self._starts[owner + 1]]):
                yield self._ports[owner]
            at = self._before[at - 1]
