"""What a workload's Pods read, as a hash in their template: another hash, and they are rolled. Pure.

Not of Kubernetes itself, where Pods keep what they read at their start until somebody restarts them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import annotations_of, mapping, mappings, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.api.objects import Object

#: On the workload: the hash that was seen last.
OBSERVED = "reconciler.dev/observed-config-hash"
#: In the template: the hash that the Pods are of; none while nothing has changed since they were first seen.
HASH = "reconciler.dev/config-hash"
SWITCH = "reconciler.dev/restart-on-change"

#: Kinds whose Pods are rolled.
WORKLOADS = (kinds.DEPLOYMENT, kinds.STATEFUL_SET, kinds.DAEMON_SET)

Reference = tuple[kinds.Kind, str]


def reads(workload: Object) -> tuple[Reference, ...]:
    """Return the ConfigMaps and Secrets that a workload's template reads; none where it is not to be rolled for them."""
    if annotations_of(workload).get(SWITCH) == "disabled":
        return ()
    return tuple(sorted(set(_references(workload)), key=lambda r: (r[0].kind, r[1])))


def hash_of(configs: Iterable[Object]) -> str:
    """Return two hashes: of what is read (a change of the template rolls by itself), and of its content.

    ``configs`` as ``reads`` orders them.
    """
    found = list(configs)
    names = [(config.get("kind"), name_of(config)) for config in found]
    content = [(config.get("data"), config.get("binaryData")) for config in found]
    return ".".join(
        hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]
        for part in (names, content)
    )


def reads_the_same(one: str, other: str) -> bool:
    """Whether two hashes are of the same ConfigMaps and Secrets, whatever their content."""
    return one.partition(".")[0] == other.partition(".")[0]


def marked(workload: Object) -> str:
    """Return the hash in the template; empty where there is none."""
    template = (workload.get("spec") or {}).get("template") or {}
    return str(annotations_of(template).get(HASH) or "")


def with_mark(workload: Object, mark: str) -> Object:
    """Return a workload with that hash in its template."""
    spec = workload["spec"]
    template = spec["template"]
    meta = template.get("metadata") or {}
    annotations = {**(meta.get("annotations") or {}), HASH: mark}
    template = {**template, "metadata": {**meta, "annotations": annotations}}
    return {**workload, "spec": {**spec, "template": template}}


def _references(workload: Object) -> Iterator[Reference]:
    """Yield what a template reads. Shapes that are not as expected yield nothing: not every manifest was checked before."""
    spec = mapping(mapping(mapping(workload.get("spec")).get("template")).get("spec"))
    for container in (*mappings(spec.get("containers")), *mappings(spec.get("initContainers"))):
        for source in mappings(container.get("envFrom")):
            yield from _named(source, "configMapRef", "secretRef")
        for variable in mappings(container.get("env")):
            yield from _named(mapping(variable.get("valueFrom")), "configMapKeyRef", "secretKeyRef")
    for volume in mappings(spec.get("volumes")):
        for source in (volume, *mappings(mapping(volume.get("projected")).get("sources"))):
            yield from _named(source, "configMap", "secret")


def _named(source: Object, config_map: str, secret: str) -> Iterator[Reference]:
    for field, kind in ((config_map, kinds.CONFIG_MAP), (secret, kinds.SECRET)):
        ref = mapping(source.get(field))
        name = ref.get("name") or ref.get("secretName")
        if name:
            yield kind, str(name)
