"""What of a Pod's and a container's securityContext counts for the container. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import Security

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def of(pod: Object, container: dict[str, Any], default_user: int) -> Security:
    """Return a container's effective securityContext: its own fields win over the Pod's.

    ``default_user`` is whom the runtime starts containers as. Raises ``RuntimeFailure`` (CreateContainerConfigError) where
    runAsNonRoot forbids the user.
    """
    whole: dict[str, Any] = pod["spec"].get("securityContext") or {}
    own: dict[str, Any] = container.get("securityContext") or {}
    user = own.get("runAsUser", whole.get("runAsUser"))
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")):
        _refuse_root(pod, container, default_user if user is None else user, asked=user is not None)
        user = default_user if user is None else user
    capabilities = own.get("capabilities") or {}
    groups = list(whole.get("supplementalGroups") or ())
    if whole.get("fsGroup") is not None:
        groups.append(whole["fsGroup"])
    seccomp = own.get("seccompProfile") or whole.get("seccompProfile") or {}
    return Security(
        run_as_user=user,
        run_as_group=own.get("runAsGroup", whole.get("runAsGroup")),
        supplemental_groups=tuple(groups),
        strict_groups=whole.get("supplementalGroupsPolicy") == "Strict",
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        privileged=bool(own.get("privileged")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        capabilities_add=tuple(capabilities.get("add") or ()),
        capabilities_drop=tuple(capabilities.get("drop") or ()),
        seccomp=seccomp.get("type") or "Unconfined",
        unmasked_proc=own.get("procMount") == "Unmasked",
    )


def _refuse_root(pod: Object, container: dict[str, Any], user: int, *, asked: bool) -> None:
    if user != 0:
        return
    meta = pod["metadata"]
    why = (
        "container's runAsUser breaks non-root policy"
        if asked
        else "container has runAsNonRoot and image will run as root"
    )
    raise RuntimeFailure(
        f'{why} (pod: "{meta["name"]}_{meta["namespace"]}({meta["uid"]})", '
        f"container: {container['name']})",
        reason="CreateContainerConfigError",
    )
