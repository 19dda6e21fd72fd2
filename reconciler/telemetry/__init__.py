"""What the program says about itself: structured logs, and figures that the parts count and somebody else exposes.

``configure`` sets up logs. ``measures`` are plain counters that a part owns; ``exposition`` turns them into Prometheus'
text and is imported by nobody but the daemon, when somebody asks.
"""

from reconciler.telemetry.logs import LEVELS, configure

__all__ = ["LEVELS", "configure"]
