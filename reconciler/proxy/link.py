"""The daemon's side of its proxy: starts one where there is none, feeds it, and asks it to let go of Pods."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from reconciler.api import kinds
from reconciler.api.objects import Object, name_of, namespace_of
from reconciler.errors import ReconcilerError
from reconciler.proxy import frames
from reconciler.proxy.hostports import wants_host_ports
from reconciler.proxy.proxy import Proxy
from reconciler.telemetry.measures import Family

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from reconciler.clock import Clock
    from reconciler.proxy.frames import Message
    from reconciler.proxy.mirror import Objects

log = structlog.get_logger(__name__)

#: A proxy that has ended is started again after this, doubling, in seconds.
FIRST_RETRY = 0.05
LONGEST_RETRY = 10.0

Place = tuple[str, str, str]


class ProxyLink:
    """Keeps one proxy process fed. ``start`` starts one and returns the socket that it listens on until it serves."""

    KINDS = Proxy.KINDS

    def __init__(
        self,
        objects: Objects,
        *,
        path: Path,
        identity: str,
        start: Callable[[], Awaitable[Path]],
        clock: Clock,
    ) -> None:
        self._objects = objects
        self._path = path
        self._identity = identity
        self._start = start
        self._clock = clock
        self._about: Message = {}
        self._problem = ""
        self._measures: list[Family] = []
        self._pending: dict[Place, Object | None] = {}
        self._changed = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._stopped = False
        self.ready = asyncio.Event()
        for kind in Proxy.KINDS:
            objects.subscribe(kind, self._object_changed)

    @property
    def http_url(self) -> str:
        """Where Ingress is reached, once ``ready``."""
        return str(self._about.get("http", ""))

    @property
    def https_url(self) -> str:
        """Where Ingress is reached over TLS, once ``ready``."""
        return str(self._about.get("https", ""))

    @property
    def dns_on_host(self) -> str:
        """Where Pods in the host's network ask for names; empty where the proxy cannot serve them there."""
        return str(self._about.get("dns", ""))

    def problems(self) -> list[str]:
        """Return what cannot be served now, and why."""
        own = [self._problem] if self._problem else []
        return own + list(self._about.get("problems", ()))

    def measures(self) -> list[Family]:
        """Return the proxy's figures as they were at the last ``refresh``. Implements ``telemetry.measures.Measured``."""
        return self._measures

    async def refresh(self) -> None:
        """Fetch the proxy's figures; where it does not answer, the last ones stay."""
        with contextlib.suppress(OSError, ReconcilerError, TimeoutError):
            async with asyncio.timeout(2):
                self._measures = msgspec.convert(await self._ask("measures"), list[Family])

    async def run(self) -> None:
        """Keep a proxy serving until cancelled; it serves on afterwards.

        Raises ``ReconcilerError`` when the first one cannot serve: a port of Ingress is taken.
        """
        wait = FIRST_RETRY
        while not self._stopped:
            try:
                await self._serve()
            except ReconcilerError as error:
                if not self.ready.is_set():
                    raise
                self._problem = f"proxy: {error}"
            except (OSError, asyncio.IncompleteReadError) as error:
                self._problem = f"the proxy has ended and is started again: {error}"
            else:
                wait = FIRST_RETRY
            if not self._stopped:
                log.warning("proxy lost", problem=self._problem, retry=wait)
                await self._clock.sleep(wait)
                wait = min(wait * 2, LONGEST_RETRY)
        await asyncio.get_running_loop().create_future()

    async def settled(self, address: str, seconds: float) -> None:
        """Wait until nothing is under way to an address any more, for so long at most.

        What became known before is known to the proxy: it sends nothing new to an endpoint that has left.
        """
        if self._writer is None or seconds <= 0:
            return
        with contextlib.suppress(OSError, ReconcilerError, TimeoutError):
            async with asyncio.timeout(seconds + 1):
                await self._ask("settle", address=address, seconds=seconds)

    async def stop(self) -> None:
        """End the proxy: nothing is served any more."""
        self._stopped = True
        with contextlib.suppress(OSError, ReconcilerError, TimeoutError):
            async with asyncio.timeout(2):
                await self._ask("stop")

    # -- one connection ------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Connect, feed everything, then changes, until the connection ends."""
        reader, writer = await self._connect()
        reading = asyncio.create_task(self._read(reader))
        try:
            self._pending.clear()
            self._writer = writer
            self._about = await self._until(reading, self._ask("replace", objects=self._all()))
            self._problem = ""
            self.ready.set()
            while True:
                await self._until(reading, self._changed.wait())
                self._flush()
                await writer.drain()
        finally:
            self._writer = None
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await reading
            for future in self._waiting.values():
                future.cancel()
            self._waiting.clear()
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the proxy that serves, if it is as it should be; else to a new one, which takes its place."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            reader, writer = await asyncio.open_unix_connection(self._path)
            async with asyncio.timeout(5):
                writer.write(frames.encode({"id": 0, "op": "about"}))
                about = (await frames.read(reader))["result"]
            if about["identity"] == self._identity:
                return reader, writer
            writer.close()
        return await asyncio.open_unix_connection(await self._start())

    async def _until(self, reading: asyncio.Task[None], work: Awaitable[Any]) -> Any:
        """Wait for something as long as the connection lives."""
        task = asyncio.ensure_future(work)
        await asyncio.wait([task, reading], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            reading.result()
        return task.result()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            message = await frames.read(reader)
            if "about" in message:
                self._about = message["about"]
                continue
            future = self._waiting.pop(message["id"], None)
            if future is None or future.done():
                continue
            if "error" in message:
                future.set_exception(ReconcilerError(message["error"]))
            else:
                future.set_result(message["result"])

    async def _ask(self, op: str, **arguments: Any) -> Any:
        writer = self._writer
        if writer is None:
            raise ConnectionResetError("no proxy")
        self._flush()
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(frames.encode({"id": number, "op": op, **arguments}))
            return await future
        finally:
            self._waiting.pop(number, None)

    # -- what it is fed ------------------------------------------------------------------------------------------

    def _all(self) -> list[Object]:
        snapshot = self._objects.snapshot
        return [_lean(o) for kind in Proxy.KINDS for o in snapshot.list(kind) if _is_wanted(o)]

    def _object_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new if new is not None else old
        if obj is None or not _is_wanted(obj):
            return
        place = (str(obj["kind"]), namespace_of(obj), name_of(obj))
        self._pending[place] = new
        self._changed.set()

    def _flush(self) -> None:
        """Write every change that waits."""
        pending, self._pending = self._pending, {}
        self._changed.clear()
        if self._writer is None:
            return
        for (kind, namespace, name), obj in pending.items():
            if obj is not None:
                message: Message = {"op": "put", "object": _lean(obj)}
            else:
                message = {"op": "remove", "kind": kind, "namespace": namespace, "name": name}
            self._writer.write(frames.encode(message))


def _is_wanted(obj: Object) -> bool:
    """Whether a proxy may have to know an object: of Secrets, those that hold a certificate; of Pods, those with a hostPort."""
    kind = obj.get("kind")
    if kind == kinds.POD.kind:
        return wants_host_ports(obj)
    return kind != kinds.SECRET.kind or "tls.crt" in (obj.get("data") or {})


def _lean(obj: Object) -> Object:
    """Return an object without what no proxy reads."""
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    if obj.get("kind") != kinds.POD.kind:
        return {**obj, "metadata": meta}
    # What a Pod is told to run (and its environment) is nobody else's.
    spec = {
        kind: [{k: c[k] for k in ("ports", "restartPolicy") if k in c} for c in containers]
        for kind in ("initContainers", "containers")
        if (containers := (obj.get("spec") or {}).get(kind))
    }
    status = {k: v for k, v in (obj.get("status") or {}).items() if k in ("podIP", "phase")}
    return {"kind": obj["kind"], "metadata": meta, "spec": spec, "status": status}
