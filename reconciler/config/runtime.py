"""``runtime``: what runs the Pods."""

from __future__ import annotations

import msgspec


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What to run on this host for a container that names no command: ``image`` is a pattern (``nginx:*``)."""

    image: str
    command: tuple[str, ...]
    env: dict[str, str] = {}
    working_dir: str = ""


class ProcessRuntime(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The ``process`` runtime. ``root_filesystem``: what of the host a container may write: ``host`` or ``readOnly``.

    ``pod_pids_limit``: processes and threads of one container, where control groups can be made; 0 = no limit.
    """

    images: tuple[Image, ...] = ()
    root_filesystem: str = "host"
    pod_pids_limit: int = 4096


class Runtime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which runtime, and what each is told."""

    name: str = "process"
    process: ProcessRuntime = ProcessRuntime()
