"""``webhook``: where git servers say that a repository changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.config.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.config.loading import Mistake


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """``listen`` is ADDRESS:PORT, empty: nowhere; ``secret_file`` holds what git servers sign with, one secret a line."""

    listen: str = ""
    secret_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what a schema cannot see."""
        if self.listen:
            try:
                parse_address(self.listen)
            except ValueError as error:
                yield ("listen",), str(error)
            if not self.secret_file:
                yield ("listen",), "needs secretFile: webhooks without a secret are not listened to"
        if bool(self.cert_file) != bool(self.key_file):
            yield ("certFile" if self.cert_file else "keyFile",), "certFile and keyFile go together"

    def below(self, directory: Path) -> Webhook:
        """Return the same with relative paths meant from a directory."""
        files = {name: getattr(self, name) for name in ("secret_file", "cert_file", "key_file")}
        return msgspec.structs.replace(
            self, **{name: str(directory / path) for name, path in files.items() if path}
        )
