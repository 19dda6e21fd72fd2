"""What all tests share: a machine that is busy makes no property wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

#: Fixtures that tests/e2e and tests/chaos have in common.
pytest_plugins = ["tests.machines"]

# Programs that came with the packages of the tests (kubectl, sops) are found, whether the environment is activated or not.
os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{Path(sys.executable).parent}"

settings.register_profile("reconciler", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("reconciler")
