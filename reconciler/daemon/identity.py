"""Which node this is. A state directory keeps its node's name, wherever it goes and however its machine is called.

Pods are bound to a node by name, and volumes by an affinity that cannot be changed. A machine that gets another name, or
a state directory that is restored on another machine, goes on as the node that it was: what ran is started again as after
a reboot, with its names and its data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from reconciler.api import kinds
from reconciler.api.objects import name_of

if TYPE_CHECKING:
    from reconciler.api.client import Client

log = structlog.get_logger(__name__)


async def node_name(client: Client, hostname: str) -> str:
    """Return the name of the node whose objects these are; for a new state directory the machine's."""
    nodes = (await client.list(kinds.NODE)).items
    names = [
        name_of(n) for n in sorted(nodes, key=lambda n: str(n["metadata"].get("creationTimestamp")))
    ]
    if not names or hostname in names:
        return hostname
    log.info("this machine has another name than its node", node=names[0], hostname=hostname)
    return names[0]
