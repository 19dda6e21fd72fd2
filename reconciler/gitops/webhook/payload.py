"""Which repository a webhook is about. Its content is a stranger's: only URLs are taken out of it. Pure."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

#: Where GitHub, Gitea, Forgejo and GitLab name a repository, and how the plainest of all webhooks does.
_PLACES = ("repository", "project")
_URLS = (
    "clone_url", "ssh_url", "git_url", "html_url", "url", "git_http_url", "git_ssh_url", "http_url",
    "web_url", "homepage", "git_http_url_to_repo", "git_ssh_url_to_repo",
)  # fmt: skip
_LONGEST_URL = 2048


class MalformedError(Exception):
    """The body is not what a webhook's is; the text says what was expected."""


def urls(body: bytes, content_type: str) -> list[str]:
    """Return every URL by which a webhook names its repository. Raises ``MalformedError``."""
    try:
        data = json.loads(_json(body, content_type))
    except (ValueError, RecursionError) as error:
        raise MalformedError("expected a JSON object") from error
    if not isinstance(data, dict):
        raise MalformedError("expected a JSON object")
    found = [data.get("url"), *_listed(data.get("urls"))]
    for place in _PLACES:
        one = data.get(place)
        found += [one.get(name) for name in _URLS] if isinstance(one, dict) else [one]
    texts = [u for u in found if isinstance(u, str) and 0 < len(u) <= _LONGEST_URL]
    return list(dict.fromkeys(texts))


def _listed(value: Any) -> list[Any]:
    return value[:100] if isinstance(value, list) else []


def _json(body: bytes, content_type: str) -> bytes | str:
    """Return the JSON of a body, which may be a form's field (GitHub's other content type; ``curl -d`` only says so)."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return body
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    return fields["payload"][0] if "payload" in fields else body
