"""kube-controller-manager: one module a kind, each a pure planner. ``control`` performs what they decide."""
