"""Which files of a source are read: the manifests; or everything, where Kustomize or Helm makes the manifests of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHART = "Chart.yaml"

_SUFFIXES = (".yaml", ".yml", ".json", ".j2")
_NEVER = frozenset({".git", ".hg", ".svn"})


def is_manifest(name: str) -> bool:
    """Whether a file's name says that it may hold manifests."""
    return name.endswith(_SUFFIXES) and not name.startswith(".")


def is_built(names: Collection[str]) -> bool:
    """Whether the names at a source's root say that Kustomize or Helm makes its manifests."""
    return CHART in names or any(name in names for name in KUSTOMIZATIONS)


def is_state(names: Collection[str]) -> bool:
    """Whether the names in a directory are those of a daemon's state: what lies there is no manifest, and always changes."""
    return "daemon.lock" in names and "format" in names


def is_private(path: str) -> bool:
    """Whether a path lies in what a version control system keeps for itself."""
    return not _NEVER.isdisjoint(path.split("/"))


def asks_for_everything(source: Mapping[str, Any]) -> bool:
    """Whether an Application's ``spec.source`` names a tool that reads more than manifests."""
    return source.get("kustomize") is not None or source.get("helm") is not None


class Selection(NamedTuple):
    """What of a tree is read."""

    everything: bool = False

    def directory(self, name: str) -> bool:
        """Whether a directory of this name is looked into."""
        return name not in _NEVER if self.everything else not name.startswith(".")

    def sees(self, path: str) -> bool:
        """Whether a path below the root is looked at, by the folders that it lies in: it may lead to what is read."""
        *folders, name = path.split("/")
        return all(map(self.directory, folders)) and (self.everything or not name.startswith("."))

    def path(self, path: str) -> bool:
        """Whether a path below the root can be read, by the folders that it lies in and by its name."""
        return self.sees(path) and (self.everything or is_manifest(path.rpartition("/")[2]))

    def file(self, name: str) -> bool:
        """Whether a file of this name is read."""
        return self.everything or is_manifest(name)
