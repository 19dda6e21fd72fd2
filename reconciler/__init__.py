"""GitOps for machines without a cluster."""
