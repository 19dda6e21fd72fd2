"""What reconciler.yaml and the flags say."""
