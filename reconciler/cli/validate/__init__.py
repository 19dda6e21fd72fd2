"""``reconciler validate``: manifests in, findings out, in the form that a person, an editor or a CI system reads."""

from reconciler.cli.validate.load import named_from, snapshot_of, validate_path
from reconciler.cli.validate.verb import command

__all__ = ["command", "named_from", "snapshot_of", "validate_path"]
