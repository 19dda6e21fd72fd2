"""Where a repository may lie: the URLs that are accepted, how they are compared, how they are shown. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from reconciler.errors import SourceError

#: Everything else runs a program (``ext::``), or is a door that nobody needs (``fd::``).
SCHEMES = ("https", "http", "ssh", "git", "file")

#: ``git@host:path``, as git writes an ssh URL short.
_SCP = re.compile(r"^(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9._-]+):(?P<path>[^:/\\].*)$")
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:.]+$")
_USER = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")
_ADVICE = "expected https://, ssh://, git:// or file:///"


class RepositoryUrl(NamedTuple):
    """A URL that was looked at: ``text`` is what git is given."""

    text: str
    scheme: str
    host: str
    port: int | None
    user: str
    path: str

    @property
    def origin(self) -> str:
        """The scheme, host and port: what credentials are good for."""
        port = f":{self.port}" if self.port is not None else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{port}"

    @property
    def identity(self) -> str:
        """What is the same for every way to write a repository's address: ``github.com/acme/shop``."""
        return f"{self.host.lower()}/{_bare(self.path)}"


def parse(text: str, field: str = "spec.source.git.url") -> RepositoryUrl:
    """Check a repository's URL. Raises ``SourceError`` that names ``field`` and says what is expected."""
    if not text or text.startswith("-") or not text.isprintable() or any(c.isspace() for c in text):
        raise SourceError(f"{field}: {redacted(text)!r} is not a URL: {_ADVICE}")
    if "::" in text.partition("/")[0]:
        raise SourceError(
            f"{field}: transport {text.partition('::')[0]!r} is not allowed: {_ADVICE}"
        )
    short = _SCP.match(text)
    if short is not None and "://" not in text:
        user = f"{short['user']}@" if short["user"] else ""
        text = f"ssh://{user}{short['host']}/{short['path']}"
    if text.startswith("/"):
        text = f"file://{text}"
    try:
        split = urlsplit(text)
        port = split.port
    except ValueError as error:
        raise SourceError(f"{field}: {redacted(text)!r}: {error}") from error
    if split.scheme not in SCHEMES:
        raise SourceError(f"{field}: scheme {split.scheme!r} is not allowed: {_ADVICE}")
    _check(split, text, field)
    return RepositoryUrl(
        text, split.scheme, split.hostname or "", port, split.username or "", unquote(split.path)
    )


def _check(split: SplitResult, text: str, field: str) -> None:
    shown = redacted(text)
    if split.password is not None or (split.username and split.scheme != "ssh"):
        raise SourceError(
            f"{field}: {shown!r} holds credentials: keep them in a Secret and name it in secretRef"
        )
    if split.query or split.fragment:
        raise SourceError(f"{field}: {shown!r} may not have a query or a fragment")
    if split.scheme == "file":
        if split.netloc or not split.path.startswith("/"):
            raise SourceError(f"{field}: {shown!r}: expected file:///absolute/path")
    elif not _HOST.match(split.hostname or ""):
        raise SourceError(f"{field}: {shown!r} names no host: {_ADVICE}")
    if split.username and not _USER.match(split.username):
        raise SourceError(f"{field}: {shown!r}: {split.username!r} is not a user name")
    if split.path.strip("/") == "" or split.path.startswith("/-"):
        raise SourceError(f"{field}: {shown!r} names no repository")


def redacted(text: str) -> str:
    """Return a text in which no URL shows a user's password or token."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def relative(parent: RepositoryUrl, text: str, field: str) -> RepositoryUrl:
    """Return a submodule's URL: ``../other`` is meant from its parent's.

    A submodule's URL comes out of a repository: a path on this machine is refused. Raises ``SourceError``.
    """
    if text.startswith(("./", "../")):
        path = posixpath.normpath(posixpath.join(parent.path, text))
        user = f"{parent.user}@" if parent.user else ""
        return parse(parent.origin.replace("://", f"://{user}") + path, field)
    found = parse(text, field)
    if found.scheme == "file":
        raise SourceError(f"{field}: a submodule may not name a path on this machine")
    return found


def identity(text: str) -> str:
    """Return what a webhook's URL has in common with ours, or an empty text for what is no URL."""
    try:
        return parse(text).identity
    except SourceError:
        return ""


def _bare(path: str) -> str:
    return path.strip("/").removesuffix(".git").rstrip("/").lower()
