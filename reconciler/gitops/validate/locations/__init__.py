"""Schemas from elsewhere: files and directories, or addresses, named by templates as kubeconform knows them."""

from reconciler.gitops.validate.locations.located import Located, missing_of, read_file
from reconciler.gitops.validate.locations.template import Place, is_remote, place_of

__all__ = ["Located", "Place", "is_remote", "missing_of", "place_of", "read_file"]
