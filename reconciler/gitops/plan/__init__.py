"""Changes as a graph: what must precede what, and why. Pure."""

from reconciler.gitops.plan.change import Change
from reconciler.gitops.plan.depends_on import is_ordered
from reconciler.gitops.plan.graph import Edge, Need, Node, Plan, Problem
from reconciler.gitops.plan.order import Phase, Stage, place_of, wave_of
from reconciler.gitops.plan.planner import plan

__all__ = [
    "Change",
    "Edge",
    "Need",
    "Node",
    "Phase",
    "Plan",
    "Problem",
    "Stage",
    "is_ordered",
    "place_of",
    "plan",
    "wave_of",
]
