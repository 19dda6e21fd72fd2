"""The downward API: a Pod's own fields as text. Pure (P34)."""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import quantities
from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object
    from reconciler.api.tokens import Token

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]$")


class PodValues(NamedTuple):
    """What only the node knows. ``cpu`` is millicores, ``memory`` bytes of the node; ``hostname`` the Pod's.

    ``tokens`` are the ServiceAccount's, by audience (empty = the API server's) and lifetime in seconds.
    """

    pod_ip: str = ""
    host_ip: str = ""
    cpu: int = 0
    memory: int = 0
    hostname: str = ""
    tokens: Mapping[tuple[str, int], Token] = MappingProxyType({})


def field_ref(pod: Object, path: str, values: PodValues) -> str:
    """Return a field's text. Raises ``RuntimeFailure`` for a path that does not exist."""
    meta, spec = pod["metadata"], pod.get("spec") or {}
    match = _SUBSCRIPT.match(path)
    if match:
        return str((meta.get(match[1]) or {}).get(match[2], ""))
    match path:
        case "metadata.name":
            return str(meta["name"])
        case "metadata.namespace":
            return str(meta["namespace"])
        case "metadata.uid":
            return str(meta["uid"])
        case "metadata.labels" | "metadata.annotations":
            pairs = meta.get(path.rpartition(".")[2]) or {}
            return "\n".join(f"{k}={_quoted(v)}" for k, v in sorted(pairs.items()))
        case "spec.nodeName":
            return str(spec.get("nodeName") or "")
        case "spec.serviceAccountName":
            return str(spec.get("serviceAccountName") or "default")
        case "status.podIP" | "status.podIPs":
            return values.pod_ip
        case "status.hostIP" | "status.hostIPs":
            return values.host_ip
    raise RuntimeFailure(f"unsupported fieldPath: {path}", reason="CreateContainerConfigError")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def resource_ref(
    pod: Object, container: dict[str, Any], ref: dict[str, Any], values: PodValues
) -> str:
    """Return a container's limit or request, divided and rounded up; without a limit the node's capacity."""
    name = ref.get("containerName")
    if name:
        spec = pod["spec"]
        everyone = [*spec["containers"], *(spec.get("initContainers") or ())]
        container = next((c for c in everyone if c["name"] == name), container)
    group, _, resource = ref["resource"].partition(".")
    resources = container.get("resources") or {}
    value: Any = (resources.get(group) or {}).get(resource)
    if value is None and group == "requests":
        value = (resources.get("limits") or {}).get(resource, 0)
    if value is None:
        value = {"cpu": f"{values.cpu}m", "memory": values.memory}.get(resource, 0)
    divisor = quantities.parse(ref.get("divisor") or 1)
    return str(math.ceil(quantities.parse(value) / (divisor or 1)))
