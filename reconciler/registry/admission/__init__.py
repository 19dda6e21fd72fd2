"""What happens to an object on its way in: defaults, then rules. Pure.

``default`` fills in what a kube-apiserver fills in; ``validate_create`` and ``validate_update`` return what is wrong,
worded as a kube-apiserver words it.
"""

from reconciler.registry.admission.defaulting import default
from reconciler.registry.admission.validation import (
    validate_additions,
    validate_create,
    validate_shape,
    validate_update,
)

__all__ = ["default", "validate_additions", "validate_create", "validate_shape", "validate_update"]
