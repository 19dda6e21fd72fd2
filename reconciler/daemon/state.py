"""The state directory: made, guarded, and locked by one daemon at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from reconciler.errors import ConfigError
from reconciler.gitops.keyfile import kept, kept_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def prepare(state_dir: Path) -> None:
    """Make the directory (0700) and what lies in it. Raises ``ConfigError`` in one line."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("volumes", "pods", "sources"):
            (state_dir / name).mkdir(mode=0o700, exist_ok=True)
        if state_dir.stat().st_uid != os.geteuid():
            raise ConfigError(
                f"{state_dir} belongs to somebody else: choose another with --state-dir"
            )
    except OSError as error:
        raise ConfigError(
            f"cannot use {state_dir} as the state directory: {error.strerror}; choose another with --state-dir"
        ) from error


def mask_key(state_dir: Path) -> bytes:
    """Return the key under which values of Secrets are hidden in diffs. Raises ``ConfigError``."""
    path = state_dir / "keys" / "mask.key"
    try:
        return kept_key(path, 32)
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}") from error


def token_key(state_dir: Path) -> bytes:
    """Return the private key that signs tokens of ServiceAccounts, as PEM text. Raises ``ConfigError``."""
    from reconciler.registry.tokens.signing import new_key

    path = state_dir / "keys" / "service-account.key"
    try:
        return kept(path, new_key)
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}") from error


def refuse_workloads(state_dir: Path) -> None:
    """Raise ``ConfigError`` while workloads of this directory run: their supervisor holds a lock of its own."""
    try:
        descriptor = os.open(state_dir / "runtime" / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"workloads of {state_dir} still run: end them with `reconciler --state-dir {state_dir} down`"
        ) from None
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Hold ``daemon.lock``, with this process's id in it. Raises ``ConfigError`` when another daemon has it."""
    path = state_dir / "daemon.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot open {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = file.read().split()[:1]
            raise ConfigError(
                f"a daemon already runs on {state_dir} (pid {pid[0] if pid else 'unknown'})"
            ) from None
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
