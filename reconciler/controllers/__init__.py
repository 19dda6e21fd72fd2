"""kube-controller-manager: one module a kind, each a pure planner. ``control`` performs what they decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.controllers.deployment import DeploymentController
from reconciler.controllers.endpointslice import EndpointSliceController
from reconciler.controllers.replicaset import ReplicaSetController

if TYPE_CHECKING:
    from reconciler.api.decision import Controller


def all_controllers() -> tuple[Controller, ...]:
    """Return one controller of each kind, as kube-controller-manager starts them."""
    return (
        DeploymentController(),
        ReplicaSetController(),
        EndpointSliceController(),
    )
