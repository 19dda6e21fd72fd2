"""Where daemons knock: a unix socket in a directory of its own, opened again where somebody removed or replaced it."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

_BACKLOG = 16


class Door:
    """The socket of one supervisor; only it opens one there, for it holds the lock of the state directory."""

    def __init__(self, address: str) -> None:
        self.path = Path(address)
        self.listener = socket.socket(socket.AF_UNIX)
        self._found: os.stat_result | None = None

    def open(self) -> None:
        """Listen, in place of whatever is there. Raises ``OSError``."""
        self.path.unlink(missing_ok=True)
        self.listener.bind(str(self.path))
        self.listener.listen(_BACKLOG)
        self._found = self.path.lstat()

    def is_there(self) -> bool:
        """Whether who knocks at the address comes here."""
        try:
            return self._found is not None and os.path.samestat(self.path.lstat(), self._found)
        except OSError:
            return False

    def reopen(self) -> bool:
        """Listen again at the address, with another ``listener``; tells whether that was possible."""
        fresh = Door(str(self.path))
        try:
            fresh.path.parent.mkdir(mode=0o700, exist_ok=True)
            fresh.open()
        except OSError:
            fresh.listener.close()
            return False
        self.listener.close()
        self.listener, self._found = fresh.listener, fresh._found
        return True

    def close(self) -> None:
        """Take the socket away."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
