"""What an Application's policy allows, as pure functions of facts and time: every answer says why.

    settings      the policy an Application's spec asks for, with its defaults
    permission    may we sync now? if not: why not, and when to ask again
    windows       when syncs are allowed: cron, time zone, allow and deny
    pruning       which objects may be deleted, and which wait for a confirmation
    ownership     whose an object is: conflicts of two Applications, adoption of what nobody made
    retrying      when a failed sync is tried again, and when it is given up
    dependencies  which other Applications must be ready first, and whether they wait for each other in a circle

Nothing here does I/O; the engine's loops gather the facts and act on the answers.
"""

from reconciler.gitops.engine.policy.permission import Facts, Permission, permission
from reconciler.gitops.engine.policy.settings import Policy, PolicyError, SelfHeal, policy_of

__all__ = [
    "Facts",
    "Permission",
    "Policy",
    "PolicyError",
    "SelfHeal",
    "permission",
    "policy_of",
]
