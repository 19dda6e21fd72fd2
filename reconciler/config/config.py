"""The whole file: one field a section."""

from __future__ import annotations

import msgspec

from reconciler.config.history import History
from reconciler.config.log import Log
from reconciler.config.metrics import Metrics
from reconciler.config.network import Network
from reconciler.config.notifications import Notification  # noqa: TC001 - msgspec reads annotations when it runs
from reconciler.config.pod_security import PodSecurity
from reconciler.config.runtime import Runtime
from reconciler.config.validate import Validate
from reconciler.config.webhook import Webhook


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Everything that ``reconciler.yaml`` may say; what it does not say is as here.

    ``applications`` are absolute paths of manifests, or of directories of them, that the daemon keeps applied.
    """

    runtime: Runtime = Runtime()
    pod_security: PodSecurity = PodSecurity()
    network: Network = Network()
    log: Log = Log()
    metrics: Metrics = Metrics()
    history: History = History()
    webhook: Webhook = Webhook()
    validate: Validate = Validate()
    notifications: tuple[Notification, ...] = ()
    applications: tuple[str, ...] = ()
