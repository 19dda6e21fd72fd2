"""What a write to a subresource makes of an object: only the part that is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import copy
from reconciler.errors import BadRequest
from reconciler.registry import admission, refusals, strategy

if TYPE_CHECKING:
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object


def written(kind: Kind, before: Object, given: Object, subresource: str, now: float) -> Object:
    """Return ``before`` with what ``given`` says of a subresource.

    Raises ``BadRequest`` for a subresource that the kind has not, ``Conflict`` and ``Invalid`` for what it may not say.
    """
    if subresource == "status":
        return strategy.with_status(before, given)
    if kind is kinds.POD and subresource == "binding":
        refusals.refuse_binding(before)
        return strategy.bound(before, given, now)
    if kind is kinds.POD and subresource == "ephemeralcontainers":
        return _with_ephemeral_containers(before, given)
    raise BadRequest(f"{kind.resource} has no subresource {subresource!r} to write")


def owner_of(subresource: str) -> str:
    """Return the subresource that managedFields names: a Binding's fields are the Pod's own."""
    return "" if subresource == "binding" else subresource


def _with_ephemeral_containers(before: Object, given: Object) -> Object:
    """Return a Pod with the ephemeral containers of another one of its name, everything else as it was."""
    name = before["metadata"]["name"]
    spec = given.get("spec")
    if not isinstance(spec, dict):
        raise BadRequest("the body is not a Pod with a spec")
    after: Object = copy(before)
    wanted = spec.get("ephemeralContainers")
    if wanted is None:
        after["spec"].pop("ephemeralContainers", None)
    else:
        after["spec"]["ephemeralContainers"] = copy(wanted)
    refusals.refuse(kinds.POD, name, admission.validate_shape(after))
    admission.default(after)
    refusals.refuse(kinds.POD, name, admission.validate_additions(before, after))
    strategy.prepare_update(after, before, kinds.POD)
    return after
