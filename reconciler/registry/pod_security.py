"""Pod Security admission: a namespace refuses Pods that ask for more than its level. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds, pod_security
from reconciler.api.objects import Key, labels_of, name_of, namespace_of
from reconciler.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object


def check(pod: Object, head: Callable[[Key], Object | None], default: str) -> None:
    """Raise ``Forbidden`` as the PodSecurity plug-in does; ``default`` is the level of namespaces that name none."""
    namespace = head(Key("", "Namespace", "", namespace_of(pod)))
    labels = labels_of(namespace) if namespace is not None else {}
    if why := pod_security.refusal(pod["spec"], labels, default):
        raise Forbidden(
            f'{kinds.POD.resource} "{name_of(pod)}" is forbidden: {why}',
            kind=kinds.POD.plural, name=name_of(pod),
        )  # fmt: skip


def check_change(
    before: Object, after: Object, head: Callable[[Key], Object | None], default: str
) -> None:
    """Raise ``Forbidden`` for a change of a Pod's containers that its namespace would not take in.

    Any other change of a Pod that is there is none of its business, as in Kubernetes: the label may be newer than the Pod.
    """
    if any(
        before["spec"].get(field) != after["spec"].get(field) for field in pod_security.CONTAINERS
    ):
        check(after, head, default)
