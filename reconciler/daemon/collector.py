"""Python's garbage collector, told what this program is like."""

from __future__ import annotations

import gc

#: Objects are JSON trees without cycles, kept for long and by the ten thousands: looking through all of them again and
#: again finds nothing, and costs more with every object.
THRESHOLDS = (50_000, 20, 50)


def tune() -> None:
    """Leave alone what was made so far (modules), and look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
