"""What the daemon does not load. A service on a small machine pays for every module as long as it runs."""

from __future__ import annotations

import sys


def import_without_rich() -> None:
    """Import structlog without rich, which it would load for tracebacks on a terminal (5 MiB)."""
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # what an import of it would find missing
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
