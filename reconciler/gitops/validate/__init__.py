"""What is wrong with a set of documents: schema, rules, references, fields that nothing here honours. Pure."""

from reconciler.gitops.validate.asked import Asked, checks_of
from reconciler.gitops.validate.checks import Checks
from reconciler.gitops.validate.judged import Judged, Verdict
from reconciler.gitops.validate.validate import ValidateCache, judge, put_together, validate

__all__ = [
    "Asked", "Checks", "Judged", "ValidateCache", "Verdict", "checks_of", "judge", "put_together",
    "validate",
]  # fmt: skip
