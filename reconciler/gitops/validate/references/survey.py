"""What is kept of a set while its documents are held against one another: numbers and hashes, no objects. Pure.

A document costs some 50 bytes. Whoever needs to know more of one asks for it by its number.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from reconciler.gitops.validate.references.firsts import Firsts
from reconciler.gitops.validate.references.labels import Labels
from reconciler.gitops.validate.references.made import ROOT_CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Key
    from reconciler.gitops.validate.judged import Judged, Said


class Survey:
    """One look through a set."""

    def __init__(self, judged: Judged) -> None:
        self.judged = judged
        self.labels = Labels()
        self.namespaces: list[str] = []  # the names of Namespaces
        self.sound_namespaces = array("I")
        self._twice = array("I")  # documents of a key that another had before, and that other
        self._keys = Firsts()
        self._made: set[Key] = set()
        self._groups: dict[tuple[str, str], int] = {}
        self._grouped = array(
            "I"
        )  # by document: the number of its kind and namespace; 0: none, or not the first
        for number, said in enumerate(judged.all_said()):
            self._look(number, said)

    def find(self, key: Key) -> int | None:
        """Return the first document of a key."""
        return self._keys.find(hash(key))

    def is_made(self, key: Key) -> bool:
        """Whether something outside of the set makes an object, because of a document of the set or in every namespace."""
        return key in self._made or (key.kind, key.name) == ("ConfigMap", ROOT_CERTIFICATES)

    def twice(self) -> Iterator[tuple[int, int]]:
        """Yield the documents of a key that another had before, and that other."""
        return zip(self._twice[::2], self._twice[1::2], strict=True)

    def names(self, groups: set[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
        """Return the names of objects by kind and namespace, each once, in the order of documents."""
        wanted = {self._groups[group]: group for group in groups if group in self._groups}
        found: dict[tuple[str, str], list[str]] = {group: [] for group in groups}
        for number, at in enumerate(self._grouped):
            if at in wanted:
                key = self.judged.said(number).key
                if key is not None:
                    found[wanted[at]].append(key.name)
        return found

    def _look(self, number: int, said: Said) -> None:
        key, facts = said.key, said.facts
        group = 0
        if key is not None:
            first = self._keys.add(hash(key), number)
            if first != number:
                self._twice.extend((number, first))
            else:
                group = self._groups.setdefault((key.kind, key.namespace), len(self._groups) + 1)
                if key.kind == "Namespace" and not key.namespace:
                    self.namespaces.append(key.name)
        self._grouped.append(group)
        if facts is not None:
            self._made.update(facts.makes)
            if facts.labels:
                self.labels.add(facts.key.namespace, facts.labels, facts.ports)
            if facts.key.kind == "Namespace":
                self.sound_namespaces.append(number)
