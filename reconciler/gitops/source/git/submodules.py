"""Submodules: where they lie, as ``.gitmodules`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.gitops.source.git import url as urls_of
from reconciler.gitops.source.git.credentials import Credentials

if TYPE_CHECKING:
    from reconciler.gitops.source.git.repository import Repository
    from reconciler.gitops.source.git.url import RepositoryUrl

#: More submodules than this, and more within one another, are not followed.
MOST = 100
DEEPEST = 5


class Submodule(NamedTuple):
    """A repository within another."""

    url: RepositoryUrl
    repository: Repository


def urls(listed: bytes, parent: RepositoryUrl) -> dict[str, RepositoryUrl]:
    """Read what ``git config --list -z`` prints of ``.gitmodules``: each path's URL. Raises ``SourceError``."""
    found: dict[str, dict[str, str]] = {}
    for item in listed.decode("utf-8", "replace").split("\0")[: 4 * MOST]:
        key, _, value = item.partition("\n")
        section, _, rest = key.partition(".")
        name, _, field = rest.rpartition(".")
        if section == "submodule" and field in ("path", "url"):
            found.setdefault(name, {})[field] = value
    return {
        one["path"]: urls_of.relative(parent, one["url"], f"submodule {name}: url")
        for name, one in found.items()
        if one.keys() >= {"path", "url"}
    }


async def no_credentials() -> Credentials:
    """What another server is given: a parent's credentials are for the parent's server alone."""
    return Credentials()
