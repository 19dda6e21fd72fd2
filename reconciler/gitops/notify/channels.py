"""The channels that carry a text: a signed webhook, Slack, mail."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from reconciler.gitops.notify.delivery import SECONDS, Undelivered, post

if TYPE_CHECKING:
    from email.message import EmailMessage

    from reconciler.config.notifications import EmailChannel, SlackChannel, WebhookChannel
    from reconciler.gitops.notify.delivery import Secrets
    from reconciler.gitops.notify.message import Message


class Webhook:
    """JSON to a URL: ``X-Reconciler-Signature-256: sha256=HEX`` is the HMAC-SHA-256 of the body, as GitHub signs."""

    def __init__(self, given: WebhookChannel, secrets: Secrets) -> None:
        self._given = given
        self._secrets = secrets

    async def deliver(self, message: Message) -> None:
        body = json.dumps(message.to_json(), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "reconciler",
            "X-Reconciler-Event": message.event,
            "X-Reconciler-Delivery": message.id,
        }
        if self._given.hmac_from is not None:
            key = (await self._secrets.read(self._given.hmac_from)).encode()
            signature = hmac.new(key, body, hashlib.sha256).hexdigest()
            headers["X-Reconciler-Signature-256"] = f"sha256={signature}"
        if self._given.token_from is not None:
            token = await self._secrets.read(self._given.token_from)
            headers["Authorization"] = f"Bearer {token}"
        await post(self._given.url, body, headers)


class Slack:
    """An incoming webhook of Slack, Mattermost, Rocket.Chat, or Discord's under ``/slack``."""

    def __init__(self, given: SlackChannel, secrets: Secrets) -> None:
        self._given = given
        self._secrets = secrets

    async def deliver(self, message: Message) -> None:
        url = await self._secrets.read(self._given.url_from)
        # Slack's own control characters: a commit's title must not mention everybody.
        escaped = message.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        body = json.dumps({"text": escaped}).encode()
        await post(url, body, {"Content-Type": "application/json"}, shown="the Slack webhook")


class Email:
    """Mail through one server, in a thread."""

    def __init__(self, given: EmailChannel, secrets: Secrets) -> None:
        self._given = given
        self._secrets = secrets

    async def deliver(self, message: Message) -> None:
        from email.message import EmailMessage
        from email.utils import formatdate

        given = self._given
        password = await self._secrets.read(given.password_from) if given.password_from else ""
        mail = EmailMessage()
        first = message.text.partition("\n")[0]
        mail["Subject"] = "".join(c if c.isprintable() else " " for c in first)[:200]
        mail["From"], mail["To"] = given.sender, ", ".join(given.to)
        mail["Date"] = formatdate(message.outcome.at)
        mail["Message-ID"] = f"<{message.id}@reconciler>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        await asyncio.to_thread(self._send, mail, password)

    def _send(self, mail: EmailMessage, password: str) -> None:
        import smtplib
        import ssl

        given = self._given
        host, _, port = given.server.rpartition(":")
        context = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(host, int(port), timeout=SECONDS, context=context)
                if given.tls == "tls"
                else smtplib.SMTP(host, int(port), timeout=SECONDS)
            ) as server:
                if given.tls == "starttls":
                    server.starttls(context=context)
                if given.username:
                    server.login(given.username, password)
                server.send_message(mail)
        except smtplib.SMTPResponseException as error:
            again = 400 <= error.smtp_code < 500
            told = f"{given.server}: SMTP {error.smtp_code}"
            raise Undelivered(told, again=again) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Undelivered(f"{given.server}: {type(error).__name__}") from error
