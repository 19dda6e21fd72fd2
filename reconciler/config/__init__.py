"""``reconciler.yaml``: what a daemon is told beyond its flags. Every key is checked, each mistake has its place.

``load`` is the face. One module a section, one struct each; ``schemas/reconciler.json`` is what they are checked against
and what ``docs/configuration.md`` is made of. May import ``api`` (the schema checker) and ``errors``.
"""

from reconciler.config.config import Config
from reconciler.config.history import History
from reconciler.config.loading import load
from reconciler.config.log import Log
from reconciler.config.metrics import Metrics
from reconciler.config.network import Network
from reconciler.config.notifications import Notification
from reconciler.config.pod_security import PodSecurity
from reconciler.config.runtime import Image, ProcessRuntime, Runtime
from reconciler.config.validate import Validate
from reconciler.config.webhook import Webhook

__all__ = [
    "Config",
    "History",
    "Image",
    "Log",
    "Metrics",
    "Network",
    "Notification",
    "PodSecurity",
    "ProcessRuntime",
    "Runtime",
    "Validate",
    "Webhook",
    "load",
]
