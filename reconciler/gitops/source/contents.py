"""Reading the bytes of one file of a source: no link is followed, and a second look finds what the first one did."""

from __future__ import annotations

import errno
import hashlib
import os

from reconciler.errors import SourceError

#: A file larger than this is no manifest, in bytes.
LARGEST_FILE = 5 * 1024 * 1024

#: Most manifests are read at once; a file object for each would cost more than that.
_BLOCK = 64 * 1024


def read(target: str) -> bytes:
    """Return what a file holds. Raises ``OSError``, also for one that is too large."""
    # The link was resolved: if it is one again now, somebody is playing tricks.
    descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        data = block = os.read(descriptor, _BLOCK)
        while len(block) == _BLOCK and len(data) <= LARGEST_FILE:
            block = os.read(descriptor, _BLOCK)
            data += block
    finally:
        os.close(descriptor)
    if len(data) > LARGEST_FILE:
        raise OSError(errno.EFBIG, "File too large")
    return data


def again(target: str, path: str, digest: str) -> bytes:
    """Read a file once more. Raises ``SourceError`` where it is not what it was: two looks are no snapshot."""
    data = listed(target, path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise changed(path)
    return data


def listed(target: str, path: str) -> bytes:
    """Read a file that was there a moment ago. Raises ``SourceError`` where it cannot be read any more."""
    try:
        return read(target)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error


def changed(path: str) -> SourceError:
    """Return the error for a file that is not what it was."""
    return SourceError(f"{path} was changed while it was looked at: try again")
