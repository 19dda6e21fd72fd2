"""``reconciler schemas``: where the schemas of kinds lie, what they say, and schemas made of other documents."""

from reconciler.cli.schemas.verb import command

__all__ = ["command"]
