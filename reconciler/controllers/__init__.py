"""kube-controller-manager: one module a kind, each a pure planner. ``control`` performs what they decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.metrics import NotMeasured
from reconciler.controllers.autoscaling import HorizontalPodAutoscalerController
from reconciler.controllers.cronjob import CronJobController
from reconciler.controllers.daemonset import DaemonSetController
from reconciler.controllers.definition import DefinitionController
from reconciler.controllers.deployment import DeploymentController
from reconciler.controllers.disruption import DisruptionController
from reconciler.controllers.endpointslice import EndpointSliceController
from reconciler.controllers.garbage import GarbageCollector
from reconciler.controllers.job import JobController
from reconciler.controllers.job.ttl import TimeToLiveController
from reconciler.controllers.loadbalancer import IngressStatusController, LoadBalancerController
from reconciler.controllers.namespace import NamespaceController
from reconciler.controllers.replicaset import ReplicaSetController
from reconciler.controllers.restart import RestartOnChange
from reconciler.controllers.service_account import ServiceAccountController
from reconciler.controllers.statefulset import StatefulSetController
from reconciler.controllers.volume import ClaimController, VolumeController

if TYPE_CHECKING:
    from reconciler.api.decision import Controller
    from reconciler.api.metrics import MetricsSource


def all_controllers(
    *, address: str = "127.0.0.1", metrics: MetricsSource | None = None
) -> tuple[Controller, ...]:
    """Return one controller of each kind.

    ``address`` is where Ingresses and LoadBalancers are reached; ``metrics`` knows what Pods use.
    """
    return (
        DeploymentController(),
        ReplicaSetController(),
        StatefulSetController(),
        DaemonSetController(),
        JobController(),
        CronJobController(),
        TimeToLiveController(),
        DisruptionController(),
        HorizontalPodAutoscalerController(metrics or NotMeasured()),
        ClaimController(),
        VolumeController(),
        RestartOnChange(kinds.DEPLOYMENT),
        RestartOnChange(kinds.STATEFUL_SET),
        RestartOnChange(kinds.DAEMON_SET),
        EndpointSliceController(),
        NamespaceController(),
        ServiceAccountController(),
        DefinitionController(),
        GarbageCollector(),
        IngressStatusController(address),
        LoadBalancerController(address),
    )
