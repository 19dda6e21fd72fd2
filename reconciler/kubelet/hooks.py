"""Lifecycle hooks: postStart and preStop (P32, P33)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    from reconciler.clock import Clock
    from reconciler.kubelet.probes import Prober, Target

#: A hook may take this long where nothing else limits it, in seconds.
LONGEST_HOOK = 600.0


async def run_hook(
    hook: dict[str, Any], prober: Prober, target: Target, clock: Clock | None = None
) -> None:
    """Run a hook's handler once. Raises ``RuntimeFailure`` when it fails."""
    if "sleep" in hook:
        if clock is not None:
            await clock.sleep(hook["sleep"].get("seconds", 0))
        return
    outcome = await prober.check(hook, target, LONGEST_HOOK)
    if not outcome.ok:
        raise RuntimeFailure(outcome.message or "the hook failed", reason="FailedHook")
