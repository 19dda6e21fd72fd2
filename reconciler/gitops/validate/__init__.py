"""What is wrong with a set of documents: schema, rules, references, fields that nothing here honours. Pure."""

from reconciler.gitops.validate.asked import Asked, checks_of
from reconciler.gitops.validate.checks import Checks
from reconciler.gitops.validate.validate import ValidateCache, Verdict, judge, validate

__all__ = ["Asked", "Checks", "ValidateCache", "Verdict", "checks_of", "judge", "validate"]
