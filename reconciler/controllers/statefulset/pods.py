"""A StatefulSet's Pods: their ordinals, names and volumes (SS03)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.objects import name_of
from reconciler.controllers.pod_template import pod_of
from reconciler.controllers.revisions import REVISION_LABEL
from reconciler.controllers.statefulset.claims import claim_names

if TYPE_CHECKING:
    from reconciler.api.objects import Object

_POD_NAME = "statefulset.kubernetes.io/pod-name"
_POD_INDEX = "apps.kubernetes.io/pod-index"


def ordinal_of(owner: Object, pod: Object) -> int | None:
    """Return the number at the end of a Pod's name, or None if it is no Pod of this set's making."""
    prefix, _, number = name_of(pod).rpartition("-")
    return int(number) if prefix == name_of(owner) and number.isdigit() else None


def ordinal_pod(owner: Object, ordinal: int, revision: str, template: Object) -> Object:
    """Build the Pod of an ordinal from a revision's template."""
    pod = pod_of(owner, template)
    about = pod["metadata"]
    name = f"{name_of(owner)}-{ordinal}"
    del about["generateName"]
    about["name"] = name
    about["labels"] = {
        **(about.get("labels") or {}),
        _POD_NAME: name,
        _POD_INDEX: str(ordinal),
        REVISION_LABEL: revision,
    }
    spec = dict(pod["spec"])
    spec["hostname"] = name
    if owner["spec"].get("serviceName"):
        spec["subdomain"] = owner["spec"]["serviceName"]
    claims = claim_names(owner, ordinal)
    volumes = [v for v in spec.get("volumes") or () if v.get("name") not in claims]
    volumes += [
        {"name": volume, "persistentVolumeClaim": {"claimName": claim}}
        for volume, claim in claims.items()
    ]
    if volumes:
        spec["volumes"] = volumes
    pod["spec"] = spec
    return pod
