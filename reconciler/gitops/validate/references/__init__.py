"""What documents say of one another: names that must exist, keys that must be in them, one object a key. Pure.

A document's own part (``facts_of``) is worked out once; putting them together is a lookup a reference.
"""

from reconciler.gitops.validate.references.check import check_references
from reconciler.gitops.validate.references.facts import facts_of, key_of
from reconciler.gitops.validate.references.inside import check_inside
from reconciler.gitops.validate.references.reference import Facts

__all__ = ["Facts", "check_inside", "check_references", "facts_of", "key_of"]
