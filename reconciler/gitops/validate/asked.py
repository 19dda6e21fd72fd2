"""From what a user asks for, on a command line or in ``reconciler.yaml``, to what is checked."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import BadRequest
from reconciler.gitops.validate.checks import (
    NEWEST,
    Checks,
    Packaged,
    kinds_of,
    level_of,
    parse_version,
)
from reconciler.gitops.validate.external import installed
from reconciler.gitops.validate.locations import Located, is_remote, missing_of, place_of, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The location that stands for the schemas of this program.
DEFAULT = "default"


class Asked(NamedTuple):
    """What to check, in the words of the user. Empty: as nobody said.

    ``fetch`` reads an address of the network (None: there is none) and ``kept`` says in which state what it keeps is.
    """

    rules: Mapping[str, str] = MappingProxyType({})
    kubernetes_version: str = ""
    schema_locations: tuple[str, ...] = ()
    ignore_missing_schemas: bool = False
    require_schemas: bool = False
    skip: tuple[str, ...] = ()
    reject: tuple[str, ...] = ()
    fetch: Callable[[str], bytes | None] | None = None
    kept: str = ""

    def over(self, other: Asked) -> Asked:
        """Return this put over another: lists of kinds add up, and of what only one can hold this wins."""
        missing = self.ignore_missing_schemas or self.require_schemas
        return self._replace(
            rules={**other.rules, **self.rules},
            kubernetes_version=self.kubernetes_version or other.kubernetes_version,
            schema_locations=self.schema_locations or other.schema_locations,
            ignore_missing_schemas=self.ignore_missing_schemas
            or (other.ignore_missing_schemas and not missing),
            require_schemas=self.require_schemas or (other.require_schemas and not missing),
            skip=(*other.skip, *self.skip),
            reject=(*other.reject, *self.reject),
        )


def checks_of(asked: Asked) -> Checks:
    """Return what is asked for, with the rules of every installed package.

    Raises ``BadRequest`` for words that there are not, ``ConfigError`` for a package that cannot be used.
    """
    external = installed()
    known = frozenset(rule.id for rule in external)
    if asked.ignore_missing_schemas and asked.require_schemas:
        raise BadRequest("missing schemas can be ignored or be required, not both")
    return Checks(
        levels=dict(level_of(rule, level, known) for rule, level in asked.rules.items()),
        schemas=_located(asked) if asked.schema_locations else Packaged(),
        kubernetes=parse_version(asked.kubernetes_version) if asked.kubernetes_version else NEWEST,
        require_schemas=asked.require_schemas,
        ignore_missing_schemas=asked.ignore_missing_schemas,
        skip=kinds_of(asked.skip),
        reject=kinds_of(asked.reject),
        external=external,
    )


def _located(asked: Asked) -> Located:
    remote = next((t for t in asked.schema_locations if is_remote(t)), "")
    network = asked.fetch
    if remote and network is None:
        raise BadRequest(f"schema location {remote}: only files and directories can be named here")

    def fetch(name: str) -> bytes | None:
        return network(name) if network is not None and is_remote(name) else read_file(name)

    for place in map(place_of, asked.schema_locations):
        if place.text != DEFAULT and not is_remote(place.text) and (missing := missing_of(place)):
            raise BadRequest(f"schema location {place.text}: there is no {missing}")
    places = [Packaged() if t == DEFAULT else place_of(t) for t in asked.schema_locations]
    return Located(places, asked.kubernetes_version, fetch, asked.kept)
