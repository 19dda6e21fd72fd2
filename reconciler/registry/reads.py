"""Lists and watches: what a selector lets through, pages, and what a change is to a watcher (W01-W06). Pure."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING

from reconciler.api import selectors
from reconciler.api.client import EventType, WatchEvent
from reconciler.errors import BadRequest, Gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object
    from reconciler.registry.watches import Change


def wanted_by(labels: str, fields: str) -> Callable[[Object], bool] | None:
    by_label = selectors.parse(labels) if labels else None
    by_field = selectors.parse_fields(fields) if fields else None
    if by_label is None and by_field is None:
        return None

    def wanted(obj: Object) -> bool:
        return (by_label is None or by_label.matches(obj["metadata"].get("labels") or {})) and (
            by_field is None or by_field.matches(obj)
        )

    return wanted


def event_of(change: Change, wanted: Callable[[Object], bool] | None) -> WatchEvent | None:
    """Return what a watcher is told of a change: an object may enter or leave what its selector sees."""
    before = change.before is not None and (wanted is None or wanted(change.before))
    after = change.after is not None and (wanted is None or wanted(change.after))
    if after:
        return WatchEvent(EventType.MODIFIED if before else EventType.ADDED, change.last)
    if before:
        return WatchEvent(EventType.DELETED, change.last)
    return None


def bookmark(kind: Kind, revision: int) -> WatchEvent:
    return WatchEvent(
        EventType.BOOKMARK,
        {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"resourceVersion": str(revision)},
        },
    )


def place_of(obj: Object) -> tuple[str, str]:
    meta = obj["metadata"]
    return str(meta.get("namespace") or ""), str(meta["name"])


def continue_token_of(revision: str, last: Object) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *place_of(last)]).encode()).decode()


def read_continue_token(token: str) -> tuple[str, tuple[str, str]]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        raise Gone("the continue token is not valid: list again") from None
    return str(revision), (str(namespace), str(name))


def parse_revision(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"invalid resource version {text!r}") from None
