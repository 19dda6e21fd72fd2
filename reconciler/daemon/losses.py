"""What is known of Applications is taken back when the machine comes up without what ran on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.client import Client
    from reconciler.api.objects import Object

#: How long the control plane may take to work the losses in before Applications are judged again, in seconds.
SETTLE_SECONDS = 10.0


async def doubt(client: Client, applications: Iterable[Object]) -> None:
    """Call every healthy Application progressing, until it has been looked at again."""
    health = {"status": "Progressing", "message": "what ran before is started again"}
    for application in list(applications):
        if ((application.get("status") or {}).get("health") or {}).get("status") == "Healthy":
            await client.patch(
                kinds.APPLICATION, name_of(application), "", {"status": {"health": health}},
                subresource="status", field_manager="reconciler",
            )  # fmt: skip
