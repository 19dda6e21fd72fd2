"""GitOps for machines without a cluster."""

__version__ = "0.1.0"
