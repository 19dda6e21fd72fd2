"""What is wrong with a set of documents: schema, rules, references, fields that nothing here honours. Pure."""

from reconciler.gitops.validate.checks import Checks
from reconciler.gitops.validate.validate import ValidateCache, Verdict, judge, validate

__all__ = ["Checks", "ValidateCache", "Verdict", "judge", "validate"]
