"""``reconciler plan``: what a sync would do."""

from reconciler.cli.plan.command import command

__all__ = ["command"]
