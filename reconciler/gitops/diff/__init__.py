"""What differs between two states of an object, with the values of Secrets masked. Pure."""

from reconciler.gitops.diff.fields import FieldChange, diff, without_noise
from reconciler.gitops.diff.unified import Line, unified

__all__ = ["FieldChange", "Line", "diff", "unified", "without_noise"]
