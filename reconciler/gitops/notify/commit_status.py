"""The status of a commit on GitHub, GitLab and Gitea (Forgejo), as their APIs document it.

A token is sent to the configured API alone, and only for repositories of its host: what an Application names as its
repository cannot send it elsewhere.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from reconciler.gitops.engine.outcomes import OutcomeKind
from reconciler.gitops.notify.delivery import Undelivered, post

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.config.notifications import CommitStatus as Given
    from reconciler.gitops.engine.outcomes import Outcome
    from reconciler.gitops.notify.delivery import Secrets
    from reconciler.gitops.notify.message import Message

_APIS = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}
_COMMIT = re.compile(r"(?<![0-9a-f])([0-9a-f]{40}|[0-9a-f]{64})(?![0-9a-f])")
_SCP = re.compile(r"^(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)$")
_LONGEST = 140

_PENDING, _SUCCESS, _FAILURE = "pending", "success", "failure"
#: Of an outcome that is no statement about a commit there is none: an unreadable source has no revision.
_STATES: Mapping[OutcomeKind, str] = {
    OutcomeKind.STARTED: _PENDING,
    OutcomeKind.HELD: _PENDING,
    OutcomeKind.SUCCEEDED: _SUCCESS,
    OutcomeKind.HEALTHY: _SUCCESS,
    OutcomeKind.FAILED: _FAILURE,
    OutcomeKind.DEGRADED: _FAILURE,
}
EVENTS = frozenset(_STATES)


class Target(NamedTuple):
    """A commit on a git server."""

    host: str
    repository: str
    commit: str


def target_of(outcome: Outcome) -> Target | None:
    """Return the commit that an outcome is about; None where its source is no git repository on a server."""
    source = (outcome.application.get("spec") or {}).get("source") or {}
    url = str((source.get("git") or {}).get("url") or "")
    found = _COMMIT.search(outcome.revision)
    scp = _SCP.match(url) if "://" not in url else None
    host, path = (scp[1], scp[2]) if scp else (urlsplit(url).hostname or "", urlsplit(url).path)
    path = path.strip("/").removesuffix(".git")
    if found is None or not host or "/" not in path or ".." in path.split("/"):
        return None
    return Target(host.lower(), path, found[1])


class CommitStatus:
    """Says what became of a commit where it came from."""

    def __init__(self, given: Given, secrets: Secrets) -> None:
        self._given = given
        self._secrets = secrets
        self._api = (given.url or _APIS.get(given.provider, "")).rstrip("/")
        host = urlsplit(self._api).hostname or ""
        self._host = given.host.lower() or ("github.com" if host == "api.github.com" else host)

    def concerns(self, outcome: Outcome) -> bool:
        """Whether an outcome is about a commit of this server."""
        target = target_of(outcome)
        return outcome.kind in _STATES and target is not None and target.host == self._host

    async def deliver(self, message: Message) -> None:
        target = target_of(message.outcome)
        if target is None:
            return
        token = await self._secrets.read(self._given.token_from)
        context = self._given.context or f"reconciler/{message.outcome.name}"
        said = " ".join((message.outcome.message or message.event).split())
        said = said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
        url, body, headers = self._request(target, _STATES[message.outcome.kind], context, said, token)  # fmt: skip
        try:
            await post(url, json.dumps(body).encode(), {**headers, "Content-Type": "application/json", "User-Agent": "reconciler"})  # fmt: skip
        except Undelivered as error:
            if self._given.provider == "gitlab" and "Cannot transition status" in str(error):
                return  # it is in that state already
            raise

    def _request(
        self, target: Target, state: str, context: str, said: str, token: str
    ) -> tuple[str, dict[str, str], dict[str, str]]:
        if self._given.provider == "gitlab":
            project = quote(target.repository, safe="")
            url = f"{self._api}/projects/{project}/statuses/{target.commit}"
            word = "failed" if state == _FAILURE else state
            return url, {"state": word, "name": context, "description": said}, {"PRIVATE-TOKEN": token}  # fmt: skip
        url = f"{self._api}/repos/{quote(target.repository)}/statuses/{target.commit}"
        body = {"state": state, "context": context, "description": said}
        if self._given.provider == "gitea":
            return url, body, {"Authorization": f"token {token}"}
        return url, body, {
            "Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }  # fmt: skip
