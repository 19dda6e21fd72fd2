"""``notifications``: whom the daemon tells what became of syncs, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.config.loading import Mistake


class SecretKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key of a Secret."""

    name: str
    key: str
    namespace: str = "default"


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret value lies: in a file, or in a Secret. It is read for each delivery."""

    file: str = ""
    secret: SecretKey | None = None


class WebhookChannel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """JSON to a URL. ``hmac_from`` signs the body, ``token_from`` is sent as a bearer token."""

    url: str
    hmac_from: Credential | None = None
    token_from: Credential | None = None


class SlackChannel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An incoming webhook of Slack or what speaks like it; its URL is the secret."""

    url_from: Credential


class EmailChannel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Mail through a server HOST:PORT."""

    server: str
    sender: str
    to: tuple[str, ...]
    tls: str = "starttls"
    username: str = ""
    password_from: Credential | None = None


class CommitStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The status of a commit on its git server. ``url`` is the API's; ``host`` is the repositories' where it is another."""

    provider: str
    token_from: Credential
    url: str = ""
    host: str = ""
    context: str = ""


class Notification(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One channel, for some outcomes of some Applications (patterns as ``web-*``)."""

    name: str
    on: tuple[str, ...] = ()
    applications: tuple[str, ...] = ("*",)
    template: str = ""
    webhook: WebhookChannel | None = None
    slack: SlackChannel | None = None
    email: EmailChannel | None = None
    commit_status: CommitStatus | None = None

    @property
    def channel(self) -> WebhookChannel | SlackChannel | EmailChannel | CommitStatus | None:
        """The one that is given."""
        return self.webhook or self.slack or self.email or self.commit_status

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what a schema cannot say so that one understands it."""
        given = [self.webhook, self.slack, self.email, self.commit_status]
        if sum(c is not None for c in given) != 1:
            yield (), "expected one of webhook, slack, email and commitStatus"
        for at, url in (
            (("webhook", "url"), self.webhook.url if self.webhook else ""),
            (("commitStatus", "url"), self.commit_status.url if self.commit_status else ""),
        ):
            if url and (
                urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname
            ):
                yield at, "expected a URL as https://example.org/path"
        if (
            self.commit_status
            and self.commit_status.provider == "gitea"
            and not self.commit_status.url
        ):
            yield (
                ("commitStatus", "url"),
                "gitea needs the URL of its API, as https://git.example.org/api/v1",
            )

    def below(self, directory: Path) -> Notification:
        """Return the same with relative files meant from a directory."""

        def based(given: Credential | None) -> Credential | None:
            if given is None or not given.file:
                return given
            return msgspec.structs.replace(given, file=str(directory / given.file))

        def whole(channel: msgspec.Struct | None) -> msgspec.Struct | None:
            if channel is None:
                return None
            fields = [f for f in channel.__struct_fields__ if f.endswith("_from")]
            return msgspec.structs.replace(
                channel, **{f: based(getattr(channel, f)) for f in fields}
            )

        channels = ("webhook", "slack", "email", "commit_status")
        return msgspec.structs.replace(self, **{c: whole(getattr(self, c)) for c in channels})
