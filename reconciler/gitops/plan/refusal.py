"""What an API server will not do: foretold by a plan, so that nobody learns it in the middle of a sync. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.errors import ApiError

#: How a kube-apiserver says of an update that the object would have to be another one (behaviours D04, S04, P30).
_FIXED = ("immutable", "may not change", "updates to ", "updates may not")


def refusal_of(error: ApiError) -> str:
    """Return, as the cause of a change, why its update will be refused, and what to do."""
    if not error.causes:
        return f"the API refuses it: {error}"
    told = "; ".join(f"{c.field}: {_without_value(c.message)}" for c in error.causes[:3])
    if any(word in c.message for c in error.causes for word in _FIXED):
        return f"immutable: {told}: delete the object, and the sync creates it anew; or leave it as it was"
    return f"the API refuses it: {told}"


def _without_value(message: str) -> str:
    """Return the reason alone: a value may be long, and may be secret."""
    if message.startswith("Invalid value"):
        return message.rpartition(": ")[2]
    return message.removeprefix("Forbidden: ")
