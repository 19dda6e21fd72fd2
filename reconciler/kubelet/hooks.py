"""Lifecycle hooks: postStart and preStop (P38, D06)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    from reconciler.clock import Clock
    from reconciler.kubelet.probes import Prober, Target

#: A hook may take this long where nothing else limits it, in seconds.
LONGEST_HOOK = 600.0


async def run_hook(hook: dict[str, Any], prober: Prober, target: Target, clock: Clock) -> None:
    """Run a hook's handler once; of an HTTP answer any status will do. Raises ``RuntimeFailure`` when it fails."""
    if "sleep" in hook:
        await clock.sleep(hook["sleep"].get("seconds", 0))
        return
    outcome = await prober.check(hook, target, LONGEST_HOOK)
    if not outcome.ok and not outcome.answered:
        raise RuntimeFailure(outcome.message or "the hook failed", reason="FailedHook")
