"""Probes, run in this process: exec, httpGet, tcpSocket (P40-P49)."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from reconciler.errors import RuntimeFailure
from reconciler.kubelet.pod import ProbeState

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.clock import Clock, Entropy
    from reconciler.runtime.cri import Runtime

#: Of an HTTP answer so much is read; only its first line counts.
LONGEST_ANSWER = 10 * 1024


class Outcome(NamedTuple):
    """What one probe found."""

    ok: bool
    message: str = ""


class Target(NamedTuple):
    """Whom to ask: one running container."""

    container_id: str
    ip: str
    ports: dict[str, int]
    host_network: bool = False

    def port(self, value: str | int) -> int:
        """Return a port's number; raises ``RuntimeFailure`` for a name that the container does not have."""
        if isinstance(value, int):
            return value
        if value.isdigit():
            return int(value)
        if value not in self.ports:
            raise RuntimeFailure(f"the container has no port named {value!r}")
        return self.ports[value]


class Prober(Protocol):
    """Runs one handler once; never raises for what it finds."""

    async def check(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome: ...


class AlwaysReady:
    """The prober of a runtime in which nothing runs: what runs there answers."""

    async def check(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:  # noqa: ARG002
        return Outcome(ok=True)


class NetworkProber:
    """Asks over the runtime's network."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def check(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:
        try:
            async with asyncio.timeout(seconds):
                if "exec" in handler:
                    return await self._exec(handler["exec"], target, seconds)
                if "httpGet" in handler:
                    return await self._http(handler["httpGet"], target)
                if "tcpSocket" in handler:
                    return await self._tcp(handler["tcpSocket"], target)
        except TimeoutError:
            return Outcome(ok=False, message=f"timed out after {seconds:g} s")
        except (OSError, RuntimeFailure, ssl.SSLError) as error:
            return Outcome(ok=False, message=str(error) or type(error).__name__)
        return Outcome(ok=False, message="probes of this kind are not available here")

    async def _exec(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:
        command = tuple(handler.get("command") or ())
        done = await self._runtime.exec_sync(target.container_id, command, seconds)
        output = (done.stdout + done.stderr)[:1024].decode("utf-8", "replace").strip()
        return Outcome(done.exit_code == 0, output)

    async def _open(
        self, host: str, port: int, target: Target, tls: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if target.host_network or (host and host != target.ip):
            return await asyncio.open_connection(host or target.ip, port, ssl=tls)
        (sock,) = await self._runtime.network.sockets(1)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (target.ip, port))
            return await asyncio.open_connection(
                sock=sock, ssl=tls, server_hostname=target.ip if tls else None
            )
        except BaseException:
            sock.close()
            raise

    async def _tcp(self, handler: dict[str, Any], target: Target) -> Outcome:
        _, writer = await self._open(
            handler.get("host", ""), target.port(handler["port"]), target, None
        )
        writer.close()
        return Outcome(ok=True)

    async def _http(self, get: dict[str, Any], target: Target) -> Outcome:
        tls = None
        if get.get("scheme") == "HTTPS":
            # As the kubelet: a probe asks whether it answers, not who it is.
            tls = ssl.create_default_context()
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        port = target.port(get["port"])
        reader, writer = await self._open(get.get("host", ""), port, target, tls)
        try:
            writer.write(_request(get, target, port))
            line = await reader.readline()
            parts = line[:LONGEST_ANSWER].split(b" ", 2)
            status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
        finally:
            writer.close()
        if 200 <= status < 400:
            return Outcome(ok=True)
        return Outcome(ok=False, message=f"HTTP probe failed with statuscode: {status}")


def _request(get: dict[str, Any], target: Target, port: int) -> bytes:
    headers = {"Host": f"{target.ip}:{port}", "User-Agent": "kube-probe/1.36", "Accept": "*/*"}
    for header in get.get("httpHeaders") or ():
        headers[header["name"]] = header["value"]
    path = get.get("path") or "/"
    lines = [f"GET {path if path.startswith('/') else '/' + path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join([*(" ".join(line.splitlines()) for line in lines), "Connection: close"])
    return (text + "\r\n\r\n").encode("latin-1", "replace")


class ContainerProbes:
    """The probes of one run of one container: their state, and the task that keeps it."""

    def __init__(
        self,
        container: dict[str, Any],
        target: Target,
        prober: Prober,
        *,
        clock: Clock,
        entropy: Entropy,
        changed: Callable[[], None],
        failed: Callable[[str, str], None],
        probed: Callable[[str, bool], None] | None = None,
        known: ProbeState | None = None,
    ) -> None:
        """``known`` is what was found out about this very run before: by a kubelet that has ended since."""
        self._container = container
        self._target = target
        self._prober = prober
        self._clock = clock
        self._entropy = entropy
        self._changed = changed
        self._failed = failed
        self._probed = probed
        self._known = known is not None
        started = "startupProbe" not in container
        initial = ProbeState(started, started and "readinessProbe" not in container)
        self.state = known if known is not None else initial

    @staticmethod
    def needed(container: dict[str, Any]) -> bool:
        return any(f"{p}Probe" in container for p in ("startup", "liveness", "readiness"))

    async def run(self) -> None:
        """Probe until cancelled, or until a restart is wanted."""
        if not self.state.started and not await self._start_up():
            return
        ready = self.state.ready or "readinessProbe" not in self._container
        self._set(self.state._replace(started=True, ready=ready))
        async with asyncio.TaskGroup() as group:
            if "readinessProbe" in self._container:
                group.create_task(self._keep_ready(self._container["readinessProbe"]))
            if "livenessProbe" in self._container:
                group.create_task(self._keep_alive(self._container["livenessProbe"]))

    def _set(self, state: ProbeState) -> None:
        if state != self.state:
            self.state = state
            self._changed()

    async def _once(self, kind: str, probe: dict[str, Any]) -> bool:
        seconds = float(probe.get("timeoutSeconds", 1))
        outcome = await self._prober.check(probe, self._target, seconds)
        if self._probed is not None:
            self._probed(kind, outcome.ok)
        if not outcome.ok:
            self._failed(kind, outcome.message)
        return outcome.ok

    async def _start_up(self) -> bool:
        probe = self._container["startupProbe"]
        await self._delay(probe)
        failures = 0
        while not await self._once("Startup", probe):
            failures += 1
            if failures >= probe.get("failureThreshold", 3):
                self._set(self.state._replace(failed="startup"))
                return False
            await self._clock.sleep(probe.get("periodSeconds", 10))
        return True

    async def _delay(self, probe: dict[str, Any]) -> None:
        """Wait as long as the first probe shall; a container that runs for longer has had that."""
        if not self._known:
            await self._clock.sleep(probe.get("initialDelaySeconds", 0))

    async def _keep_ready(self, probe: dict[str, Any]) -> None:
        await self._delay(probe)
        period = probe.get("periodSeconds", 10)
        in_a_row, last = 0, self.state.ready
        while True:
            ok = await self._once("Readiness", probe)
            in_a_row = in_a_row + 1 if ok == last else 1
            last = ok
            wanted = probe.get("successThreshold" if ok else "failureThreshold", 1 if ok else 3)
            if in_a_row >= wanted:
                self._set(self.state._replace(ready=ok))
            # What is not ready yet is asked more often, as a kubelet does right after a start.
            await self._clock.sleep(
                period if self.state.ready else min(period, 0.25 * 2 ** min(in_a_row, 6))
            )

    async def _keep_alive(self, probe: dict[str, Any]) -> None:
        await self._delay(probe)
        failures = 0
        period = probe.get("periodSeconds", 10)
        await self._clock.sleep(self._entropy.uniform(0, min(period, 1)))
        while True:
            failures = 0 if await self._once("Liveness", probe) else failures + 1
            if failures >= probe.get("failureThreshold", 3):
                self._set(self.state._replace(failed="liveness"))
                return
            await self._clock.sleep(period)
