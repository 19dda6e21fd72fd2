"""What all tests share: a machine that is busy makes no property wrong."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("reconciler", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("reconciler")
