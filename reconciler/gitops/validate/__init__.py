"""What is wrong with a set of documents: schema, rules, references, fields that nothing here honours. Pure."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.gitops.validate.asked import Asked, checks_of
    from reconciler.gitops.validate.checks import Checks
    from reconciler.gitops.validate.judged import Judged, Verdict
    from reconciler.gitops.validate.whole import ValidateCache, judge, put_together, validate

#: Loaded when they are asked for: a set of which all is known is validated without its rules.
_MODULES = {
    "Asked": "asked", "Checks": "checks", "Judged": "judged", "ValidateCache": "whole", "Verdict": "judged",
    "checks_of": "asked", "judge": "whole", "put_together": "whole", "validate": "whole",
}  # fmt: skip

__all__ = [
    "Asked", "Checks", "Judged", "ValidateCache", "Verdict", "checks_of", "judge", "put_together",
    "validate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
