"""Places Pods on Nodes: filter, score. Pure."""
