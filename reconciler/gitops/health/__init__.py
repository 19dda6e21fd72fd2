"""How an object is: ``health`` (does it serve? Argo CD) and ``reconciled`` (was it done? kstatus). Pure."""

from reconciler.gitops.health.health import health
from reconciler.gitops.health.kstatus import Reconciled, reconciled
from reconciler.gitops.health.state import (
    DEGRADED,
    HEALTHY,
    MISSING,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Health,
    worst,
)

__all__ = [
    "DEGRADED",
    "HEALTHY",
    "MISSING",
    "PROGRESSING",
    "SUSPENDED",
    "UNKNOWN",
    "Health",
    "Reconciled",
    "health",
    "reconciled",
    "worst",
]
