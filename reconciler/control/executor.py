"""The executor: performs a Decision's actions through a Client, with their preconditions.

Only a change is written: a status that already stands so is not. Returns what was written, so that the caller can
wait until the cache shows it (a controller must read its own writes before it decides again).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.api.client import DeleteOptions
from reconciler.api.decision import (
    Absent,
    Action,
    Create,
    Delete,
    Patch,
    Update,
    UpdateStatus,
)
from reconciler.api.kinds import Kind, kind_of
from reconciler.api.objects import Object, name_of, revision_of
from reconciler.errors import Conflict, NotFound, ReconcilerError

if TYPE_CHECKING:
    from reconciler.api.client import Client
    from reconciler.api.decision import Decision
    from reconciler.control.events import Recorder
    from reconciler.control.informer import InformerCache

#: The newest revision written of each kind.
Written = dict[Kind, int]


class ActionFailed(ReconcilerError):
    """One action of a decision failed; ``__cause__`` says why."""

    def __init__(self, action: Action, error: Exception) -> None:
        super().__init__(str(error))
        self.action = action
        self.error = error


class Executor:
    """Performs actions as one field manager."""

    def __init__(
        self, client: Client, cache: InformerCache, recorder: Recorder, manager: str
    ) -> None:
        self._client = client
        self._cache = cache
        self._recorder = recorder
        self._manager = manager

    async def perform(self, decision: Decision, written: Written) -> None:
        """Perform a decision's actions in order. ``written`` collects revisions also when it fails.

        Raises ``ActionFailed`` for the first action that fails, after its batch has come to an end.
        """
        for step in decision.actions:
            if isinstance(step, Action):
                await self._perform_one(step, written)
            else:
                await self._perform_batch(step, written)
        for notice in decision.events:
            self._recorder.record(notice)

    async def _perform_batch(self, batch: tuple[Action, ...], written: Written) -> None:
        results = await asyncio.gather(
            *(self._perform_one(action, written) for action in batch), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _perform_one(self, action: Action, written: Written) -> None:
        try:
            done = await self._do(action)
        except ReconcilerError as error:
            raise ActionFailed(action, error) from error
        if done is not None:
            kind, obj = done
            written[kind] = max(written.get(kind, 0), revision_of(obj))

    async def _do(self, action: Action) -> tuple[Kind, Object] | None:
        match action:
            case Create(obj, notice):
                made = await self._client.create(obj, field_manager=self._manager)
                if notice is not None:
                    text = notice.message.replace("{name}", name_of(made))
                    self._recorder.record(notice._replace(message=text))
                return kind_of(made), made
            case Update(obj):
                return kind_of(obj), await self._client.update(obj, field_manager=self._manager)
            case Patch():
                return await self._patch(action)
            case Delete():
                return await self._delete(action)
            case UpdateStatus():
                return await self._update_status(action)
            case Absent(kind, namespace, name, uid):
                await self._look(kind, namespace, name, uid)
        return None

    async def _patch(self, action: Patch) -> tuple[Kind, Object]:
        patch = action.patch
        if action.uid:
            patch = {**patch, "metadata": {**patch.get("metadata", {}), "uid": action.uid}}
        obj = await self._client.patch(
            action.kind, action.name, action.namespace, patch,
            subresource=action.subresource, field_manager=self._manager,
        )  # fmt: skip
        return action.kind, obj

    async def _delete(self, action: Delete) -> tuple[Kind, Object] | None:
        options = DeleteOptions(action.grace_seconds, action.propagation, uid=action.uid)
        try:
            obj = await self._client.delete(action.kind, action.name, action.namespace, options)
        except NotFound:
            return None
        return action.kind, obj

    async def _update_status(self, action: UpdateStatus) -> tuple[Kind, Object] | None:
        cached = self._cache.snapshot.get(action.kind, action.namespace, action.name)
        if cached is not None and (cached.get("status") or {}) == action.status:
            return None
        if cached is None or (action.uid and cached["metadata"]["uid"] != action.uid):
            return None
        # The plan was made from the cached object: if that is not the newest, plan again.
        obj = {**cached, "status": action.status}
        try:
            done = await self._client.update(obj, subresource="status", field_manager=self._manager)
        except NotFound:
            return None
        return action.kind, done

    async def _look(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Ask the API itself, since a cache may lag."""
        if name:
            try:
                found = await self._client.get(kind, name, namespace)
            except NotFound:
                return
            if uid and found["metadata"]["uid"] != uid:
                return
            raise Conflict(f"{kind} {namespace}/{name} exists after all")
        if (await self._client.list(kind, namespace, limit=1)).items:
            raise Conflict(f"{kind} exist in {namespace} after all")
