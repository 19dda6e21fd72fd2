"""What a supervisor of an older version would leave out of a container in silence: such a container is refused instead. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import Security

if TYPE_CHECKING:
    from reconciler.runtime.cri import ContainerConfig

#: The first protocol whose supervisors resolve subPaths and honour the whole of ``Security``.
_SECURITY = 2
#: What supervisors honoured before.
_OLD = ("run_as_user", "run_as_group", "supplemental_groups", "no_new_privileges")


def check(config: ContainerConfig, root_filesystem: str, speaks: int) -> None:
    """Raise ``RuntimeFailure`` (CreateContainerError) for what a supervisor that speaks this protocol does not know."""
    if speaks >= _SECURITY:
        return
    nothing = Security()._replace(**{field: getattr(config.security, field) for field in _OLD})
    asked = [f for f in Security._fields if getattr(config.security, f) != getattr(nothing, f)]
    if any(m.sub_path for m in config.mounts):
        asked.append("sub_path")
    if any(m.recursive_readonly or m.propagation for m in config.mounts):
        asked.append("mount options")
    if root_filesystem != "host":
        asked.append("rootFilesystem")
    if asked:
        raise RuntimeFailure(
            f"the supervisor that holds the workloads is of an older version, which would leave out {', '.join(asked)}: "
            "stop them with `reconciler down` and start them again",
            reason="CreateContainerError",
        )
