"""Who owns which field: ``metadata.managedFields`` and server-side apply (M06-M10, KEP-555). Pure."""

from reconciler.api.managed_fields.apply import apply
from reconciler.api.managed_fields.owners import track

__all__ = ["apply", "track"]
