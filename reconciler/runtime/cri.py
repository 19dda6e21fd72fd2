"""The runtime Protocol: the CRI's verbs (``k8s.io/cri-api`` runtime.v1), as Python.

The kubelet speaks only to this. Every verb is idempotent where the CRI's is: stopping what is stopped and removing
what is gone succeed. Errors are ``RuntimeFailure`` with a reason. Times are seconds since the epoch, sizes bytes,
CPU millicores. What a runtime knows about its containers survives the daemon: after a restart ``pods()`` and
``containers()`` tell the same ids, states and exit codes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Collection, Mapping

    from reconciler.api.node import ExecStream


def honours(fields: Collection[str], path: str) -> bool:
    """Whether a field is among those that a runtime honours, itself or as a part of one.

    >>> honours({"spec.volumes"}, "spec.volumes.emptyDir"), honours({"spec.volumes.emptyDir"}, "spec.volumes")
    (True, False)
    """
    parts = path.split(".")
    return any(".".join(parts[:n]) in fields for n in range(1, len(parts) + 1))


class SandboxState(StrEnum):
    READY = "SANDBOX_READY"
    NOT_READY = "SANDBOX_NOTREADY"


class ContainerState(StrEnum):
    CREATED = "CONTAINER_CREATED"
    RUNNING = "CONTAINER_RUNNING"
    EXITED = "CONTAINER_EXITED"
    UNKNOWN = "CONTAINER_UNKNOWN"


class DNSConfig(NamedTuple):
    """The lines of a Pod's /etc/resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class HostAlias(NamedTuple):
    """A line of a Pod's /etc/hosts."""

    ip: str
    hostnames: tuple[str, ...]


class SandboxConfig(NamedTuple):
    """What a Pod's sandbox is made from. ``uid`` and ``attempt`` identify it: asking twice gives the same sandbox."""

    namespace: str
    name: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    domain: str = ""  # subdomain.namespace.svc.cluster.local, for /etc/hosts
    log_directory: str = ""
    dns: DNSConfig = DNSConfig()
    host_aliases: tuple[HostAlias, ...] = ()
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    own_users: bool = False  # hostUsers false: the Pod's user ids are none of the host's accounts
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class Mount(NamedTuple):
    """A host path (file or directory, made by the kubelet) that shall appear at a container's path.

    ``sub_path`` is a path within it, which no link may lead out of; what is missing of it becomes a directory.
    """

    container_path: str
    host_path: str
    readonly: bool = False
    sub_path: str = ""
    recursive_readonly: bool = False  # what is mounted below it cannot be written either
    propagation: str = ""  # HostToContainer: what the host mounts there later appears; Bidirectional: and the reverse


class Resources(NamedTuple):
    """Limits; 0 = none."""

    cpu_limit: int = 0  # millicores
    cpu_request: int = 0  # millicores
    memory_limit: int = 0  # bytes


class Security(NamedTuple):
    """Of a container's effective securityContext; None = not asked for."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    strict_groups: bool = False  # supplementalGroupsPolicy Strict: not those of the account too
    read_only_root: bool = False
    privileged: bool = False
    no_new_privileges: bool = False
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()
    seccomp: str = "Unconfined"  # or RuntimeDefault, or what a runtime refuses
    unmasked_proc: bool = False  # procMount Unmasked


class ContainerConfig(NamedTuple):
    """What a container is made from. ``command`` and ``args`` have their ``$(VAR)`` expanded already."""

    name: str
    image: str
    attempt: int = 0
    command: tuple[str, ...] = ()  # replaces the image's entrypoint
    args: tuple[str, ...] = ()  # replaces the image's arguments
    working_dir: str = ""
    env: Mapping[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    log_path: str = ""  # relative to the sandbox's log_directory, written in CRI log format
    stdin: bool = False
    tty: bool = False
    resources: Resources = Resources()
    security: Security = Security()
    labels: Mapping[str, str] = {}
    stop_signal: str = ""  # the name of what asks it to end; empty = SIGTERM


class ContainerStats(NamedTuple):
    """What a running container has used: CPU time in nanoseconds since it started, memory (working set) in bytes."""

    id: str
    pod_uid: str
    name: str
    cpu: int
    memory: int


class SandboxStatus(NamedTuple):
    """A sandbox as it stands. ``ip`` is empty only for a sandbox that is not ready."""

    id: str
    namespace: str
    name: str
    uid: str
    attempt: int
    state: SandboxState
    created_at: float
    ip: str


class ContainerStatus(NamedTuple):
    """A container as it stands. ``exit_code`` is 128 + signal when a signal ended it, with ``signal`` set."""

    id: str
    sandbox_id: str
    pod_uid: str
    name: str
    attempt: int
    state: ContainerState
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    signal: int = 0
    reason: str = ""  # Completed, Error, OOMKilled, StartError, ContainerStatusUnknown
    message: str = ""
    image: str = ""
    image_ref: str = ""
    log_path: str = ""  # absolute
    pid: int = 0  # of the first process, on the host; 0 where the runtime has none


class RuntimeEvent(NamedTuple):
    """Something of a Pod changed: look again. Only a hint; may be merged or repeated."""

    pod_uid: str


class ExecResult(NamedTuple):
    """What a command left behind; output is cut at 16 KiB each."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Network(Protocol):
    """The network that Pods live in, as the proxy sees it from outside.

    Sockets keep the network that they were made in, so one made inside and handed out is used like any other.
    """

    @property
    def service_cidr(self) -> str:
        """The range that Service addresses must be taken from."""
        ...

    @property
    def pod_cidr(self) -> str:
        """The range that Pod addresses are taken from."""
        ...

    @property
    def privileged_ports(self) -> bool:
        """Whether ports below 1024 can be bound on Service addresses."""
        ...

    async def listen(self, address: str, port: int) -> socket.socket:
        """Return a non-blocking TCP socket that listens on a Service address, seen by Pods only.

        Raises ``RuntimeFailure`` where it cannot be bound.
        """
        ...

    async def datagram(self, address: str, port: int) -> socket.socket:
        """Return a non-blocking UDP socket bound to a Service address, seen by Pods only."""
        ...

    async def sockets(self, count: int, *, datagram: bool = False) -> list[socket.socket]:
        """Return fresh, unconnected, non-blocking sockets from which Pod addresses can be reached."""
        ...


class Runtime(Protocol):
    """Runs Pods. Opened before and closed after use; closing leaves the workloads running."""

    @property
    def name(self) -> str:
        """``process``, ``memory``, ``podman`` …: how Node and ``version`` show it."""
        ...

    @property
    def network(self) -> Network: ...

    @property
    def honoured_fields(self) -> frozenset[str]:
        """The Pod fields it honours, as dotted paths without indexes (``spec.containers.securityContext.runAsUser``).

        A path stands for everything below it; ``path=value`` for one of a field's values, as JSON writes it (text unquoted).
        """
        ...

    @property
    def default_user(self) -> int:
        """The uid of a container whose Pod names none (the image's user, CRI ImageStatus.uid)."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """What this host withholds from Pods and what would allow it, a sentence each; known once it is open."""
        ...

    async def open(self) -> None:
        """Get ready: find the sandboxes and containers that already run, or start what serves them."""
        ...

    async def close(self) -> None:
        """Let go of it; workloads go on."""
        ...

    async def shutdown(self) -> None:
        """End whatever keeps empty machinery alive (a supervisor, a network); only when no sandbox is left."""
        ...

    async def ensure_image(self, image: str, pull_policy: str, *, needs_command: bool) -> str:
        """Make an image usable and return its id.

        ``needs_command``: the container names no command of its own. Raises ``RuntimeFailure`` whose reason is
        ``ErrImageNeverPull``, ``ErrImagePull`` or ``InvalidImageName``, and whose message says what to do.
        """
        ...

    async def run_pod_sandbox(self, config: SandboxConfig) -> SandboxStatus:
        """Make a Pod's address and namespaces (CRI RunPodSandbox)."""
        ...

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        """Kill what still runs in it and give its address back."""
        ...

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        """Forget it and its containers."""
        ...

    async def pods(self, pod_uid: str | None = None) -> list[SandboxStatus]:
        """List the sandboxes of one Pod, or all, of any state (CRI ListPodSandbox)."""
        ...

    async def memory_directory(self, sandbox_id: str, path: str, size_bytes: int) -> int | None:
        """Lay a file system in memory over a directory, as the sandbox's containers see it, unless that was done.

        It ends with the sandbox. ``size_bytes``: what it may hold, 0 = half of the memory. Returns a descriptor (O_PATH) of it,
        to be closed by the caller; None where this runtime or host has no such thing.
        """
        ...

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        """Prepare a container and return its id. The same (sandbox, name, attempt) gives the same id."""
        ...

    async def start_container(self, container_id: str) -> None:
        """Start it, once; raises ``RuntimeFailure`` (reason ``StartError``) when its program cannot be run."""
        ...

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """SIGTERM (or its ``stop_signal``) to its first process, SIGKILL to all of it after the grace; returns when it has ended."""
        ...

    async def remove_container(self, container_id: str) -> None:
        """Forget an ended container (its log file stays)."""
        ...

    async def containers(self, pod_uid: str | None = None) -> list[ContainerStatus]:
        """List the containers of one Pod, or all (CRI ListContainers and ContainerStatus in one)."""
        ...

    async def stats(self, pod_uid: str | None = None) -> list[ContainerStats]:
        """Tell what the running containers of one Pod, or of all, use (CRI ListContainerStats); none where nothing is measured."""
        ...

    async def exec_sync(
        self, container_id: str, command: tuple[str, ...], timeout_seconds: float
    ) -> ExecResult:
        """Run a command inside; on timeout it is killed and ``RuntimeFailure`` (reason ``Timeout``) raised."""
        ...

    async def exec(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> ExecStream:
        """Run a command inside with streams."""
        ...

    async def reopen_log(self, container_id: str) -> None:
        """Start a new log file: the kubelet has renamed the present one (CRI ReopenContainerLog)."""
        ...

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """Yield a hint for every change (CRI GetContainerEvents) until closed."""
        ...
