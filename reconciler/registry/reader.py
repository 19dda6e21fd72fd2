"""The reads of a ``Client``: from memory, never waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.client import ObjectList
from reconciler.registry import naming, reads, refusals

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reconciler.api.client import WatchEvent
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object
    from reconciler.registry.log import RevisionLog

#: How often a quiet watch that wants bookmarks gets one, in seconds.
BOOKMARK_SECONDS = 60.0


class Reader:
    """Gets, lists and watches what a log of revisions holds."""

    def __init__(self, log: RevisionLog) -> None:
        self._log = log

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        found = self._log.cache.get(naming.key_of(kind, name, namespace))
        if found is None:
            raise refusals.not_found(kind, name)
        return found

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> ObjectList:
        wanted = reads.wanted_by(labels, fields)
        items = self._log.cache.list(kind.group, kind.kind, namespace)
        found = [o for o in items if wanted is None or wanted(o)]
        revision = str(self._log.revision)
        if continue_token:
            revision, after = reads.read_continue_token(continue_token)
            found = [o for o in found if reads.place_of(o) > after]
        if not limit or len(found) <= limit:
            return ObjectList(found, revision)
        page = found[:limit]
        return ObjectList(
            page, revision, reads.continue_token_of(revision, page[-1]), len(found) - limit
        )

    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        since: str,
        labels: str = "",
        fields: str = "",
        bookmarks: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        wanted = reads.wanted_by(labels, fields)
        start = reads.parse_revision(since) if since else self._log.revision
        watcher = self._log.watches.subscribe(kind.group, kind.kind, namespace, start)
        try:
            while True:
                changes = watcher.take()
                for change in changes:
                    event = reads.event_of(change, wanted)
                    if event is not None:
                        yield event
                if not changes and bookmarks:
                    yield reads.bookmark(kind, self._log.revision)
                await watcher.wait(BOOKMARK_SECONDS if bookmarks else None)
        finally:
            self._log.watches.unsubscribe(watcher)
