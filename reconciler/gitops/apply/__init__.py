"""Walking a plan through a Client: a node starts as soon as what it comes after is as far as it must be."""

from reconciler.gitops.apply.result import Applied, Result
from reconciler.gitops.apply.walk import apply

__all__ = ["Applied", "Result", "apply"]
