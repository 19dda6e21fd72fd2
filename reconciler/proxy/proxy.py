"""The proxy: follows Services, EndpointSlices and Ingresses, and keeps sockets as the routing table says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import structlog

from reconciler.api import kinds
from reconciler.api.objects import Object, name_of, namespace_of
from reconciler.errors import ReconcilerError, RuntimeFailure
from reconciler.proxy import dns, http
from reconciler.proxy.balance import Balancer
from reconciler.proxy.dial import Dialer
from reconciler.proxy.flows import Flows
from reconciler.proxy.hostports import wants_host_ports
from reconciler.proxy.l4 import TcpListener
from reconciler.proxy.l7 import IngressProxy
from reconciler.proxy.measures import ProxyMeasures
from reconciler.proxy.names import ClusterNames
from reconciler.proxy.sockets import Sockets
from reconciler.proxy.table import Change, RoutingTable, slice_service
from reconciler.proxy.tls import Certificates
from reconciler.proxy.udp import UdpListener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from reconciler.clock import Clock, Entropy
    from reconciler.proxy.listeners import Listener
    from reconciler.proxy.mirror import Objects
    from reconciler.runtime.cri import Network
    from reconciler.telemetry.measures import Family

log = structlog.get_logger(__name__)

#: Where resolvers ask.
DNS_PORT = 53
#: An address that cannot be listened on is tried again after this, in seconds.
RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 30.0

#: A TLS handshake takes no longer than this, in seconds.
HANDSHAKE_SECONDS = 10.0


class Proxy:
    """Serves Services inside the Pods' network, Ingress and node ports on the host."""

    KINDS: ClassVar[tuple[kinds.Kind, ...]] = (
        kinds.SERVICE,
        kinds.ENDPOINT_SLICE,
        kinds.INGRESS,
        kinds.INGRESS_CLASS,
        kinds.SECRET,
        kinds.POD,
    )

    def __init__(
        self,
        objects: Objects,
        network: Network,
        *,
        clock: Clock,
        entropy: Entropy,
        listen: str = "127.0.0.1",
        http_port: int = 8080,
        https_port: int = 8443,
        dns_address: str = "10.96.0.10",
        host_dns: str = "",
        cluster_domain: str = "cluster.local",
    ) -> None:
        self._objects = objects
        self._network = network
        self.sockets = Sockets(network, listen)
        self.flows = Flows(clock)
        self._clock = clock
        self._listen = listen
        self._ports = (http_port, https_port)
        self._urls = ["", ""]
        self._dns_address = dns_address
        self._host_dns = host_dns
        #: Where names are served on the host, to Pods in its network; empty where they are not.
        self.dns_on_host = ""
        self._table = RoutingTable()
        self._dialer = Dialer(network, clock)
        self._balancer = Balancer(self._table, clock)
        self._measures = ProxyMeasures()
        self._ingress = IngressProxy(
            self._table, self._balancer, self._dialer, self.flows, self._measures
        )
        self._resolver = dns.Resolver(
            ClusterNames(self._table, cluster_domain), entropy, dns.HostServers()
        )
        self._certificates = Certificates(self._secret_for, clock)
        self._serving: dict[Listener, asyncio.Task[None]] = {}
        self._problems: dict[str, str] = {}
        self.on_problems: Callable[[], None] = lambda: None
        self._servers: tuple[asyncio.Server, ...] = ()
        self._naming: tuple[asyncio.Task[None], ...] = ()
        self._group: asyncio.TaskGroup | None = None
        self.ready = asyncio.Event()
        objects.subscribe(kinds.SERVICE, self._service_changed)
        objects.subscribe(kinds.ENDPOINT_SLICE, self._slice_changed)
        objects.subscribe(kinds.POD, self._pod_changed)
        objects.subscribe(kinds.INGRESS, self._ingress_changed)
        objects.subscribe(kinds.INGRESS_CLASS, self._class_changed)
        for kind, changed in (
            (kinds.SERVICE, self._service_changed),
            (kinds.ENDPOINT_SLICE, self._slice_changed),
            (kinds.POD, self._pod_changed),
            (kinds.INGRESS_CLASS, self._class_changed),
            (kinds.INGRESS, self._ingress_changed),
        ):
            for obj in objects.snapshot.list(kind):
                changed(None, obj)

    @property
    def http_url(self) -> str:
        """Where Ingress is reached, once ``ready``."""
        return self._urls[0]

    @property
    def https_url(self) -> str:
        """Where Ingress is reached over TLS, once ``ready``."""
        return self._urls[1]

    def problems(self) -> list[str]:
        """Return what cannot be served now, and why."""
        found = [f"{what}: {why}" for what, why in sorted(self._problems.items())]
        for listener, names in sorted(self._table.conflicts().items()):
            found += [
                f"{_claimant(namespace, name)}: {_title(listener)} belongs to an older one"
                for namespace, name in names
            ]
        return found

    def measures(self) -> list[Family]:
        """Return what goes through, in figures. Implements ``telemetry.measures.Measured``."""
        return self._measures.families(self._table, len(self.problems()))

    def _problem(self, what: str, why: str) -> None:
        if self._problems.get(what) != why:
            self._problems[what] = why
            self.on_problems()

    def _solved(self, what: str) -> None:
        if self._problems.pop(what, None) is not None:
            self.on_problems()

    async def run(self) -> None:
        """Serve until cancelled. Raises ``ReconcilerError`` when an Ingress port cannot be had."""
        plain = self.sockets.outside("http", self._ports[0], "--http-port")
        try:
            secure = self.sockets.outside("https", self._ports[1], "--https-port")
        except ReconcilerError:
            plain.close()
            raise
        limit = http.LARGEST_HEAD
        server = await asyncio.start_server(self._accept, sock=plain, limit=limit)
        tls_server = await asyncio.start_server(
            self._accept, sock=secure, limit=limit, ssl=self._certificates.default,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
        )  # fmt: skip
        self._servers = (server, tls_server)
        for index, (sock, scheme) in enumerate(((plain, "http"), (secure, "https"))):
            self._urls[index] = f"{scheme}://{self._shown()}:{sock.getsockname()[1]}"
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                naming = asyncio.Event()
                # The first tries to bind before the second has asked for anything: `ready` knows of both.
                self._naming = (
                    group.create_task(self._serve_dns_on_host(), name="dns-on-host"),
                    group.create_task(self._serve_dns(naming), name="dns"),
                )
                for listener in self._table.listeners():
                    self._start(listener)
                await naming.wait()
                self.ready.set()
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = None
            server.close()
            tls_server.close()
            self._ingress.pool.close()
            self._dialer.close()

    def retire(self) -> None:
        """Accept nothing any more; what is under way goes on (see ``flows``)."""
        for server in self._servers:
            server.close()
        for task in self._serving.values():
            task.cancel()
        for task in self._naming:
            task.cancel()
        self._ingress.retire()

    @property
    def connections(self) -> int:
        """How many connections of clients are open."""
        return self._ingress.clients + len(self.flows)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._group is None:
            writer.close()
        else:
            self._group.create_task(self._ingress.serve(reader, writer), name="ingress-client")

    def _shown(self) -> str:
        if self._listen in ("0.0.0.0", ""):  # noqa: S104
            return "127.0.0.1"
        return f"[{self._listen}]" if ":" in self._listen else self._listen

    # -- listeners of Services -----------------------------------------------------------------------------------

    def _apply(self, change: Change) -> None:
        for listener in change.removed:
            task = self._serving.pop(listener, None)
            if task is not None:
                task.cancel()
            self._solved(_title(listener))
        for listener in change.added:
            self._start(listener)
        if change.drained:
            self._ingress.pool.drain(change.drained)
            self.flows.leave(change.drained)

    def _start(self, listener: Listener) -> None:
        if self._group is None or listener in self._serving:
            return
        if listener.protocol not in ("TCP", "UDP"):
            self._problem(_title(listener), "only TCP and UDP Services are balanced")
            return
        if listener.address == self._dns_address and listener.port == DNS_PORT:
            return  # a Service object that stands for the DNS server, which is served here itself
        self._serving[listener] = self._group.create_task(
            self._serve(listener, self._group), name=f"service-{listener.address}:{listener.port}"
        )

    async def _serve(self, listener: Listener, group: asyncio.TaskGroup) -> None:
        served: TcpListener | UdpListener
        if listener.protocol == "UDP":
            served = UdpListener(listener, self._table, self._balancer, self._network, group)
        else:
            served = TcpListener(
                listener,
                self._table,
                self._balancer,
                self._dialer,
                self.flows,
                group,
                self._measures,
            )
        wait = RETRY_SECONDS
        while True:
            try:
                sock = await self._bind(listener)
            except (ReconcilerError, OSError) as error:
                self._problem(_title(listener), str(error))
                await self._clock.sleep(wait)
                wait = min(wait * 2, LONGEST_RETRY_SECONDS)
                continue
            wait = RETRY_SECONDS
            self._solved(_title(listener))
            await served.serve(sock)

    async def _bind(self, listener: Listener) -> socket.socket:
        name, datagram = _title(listener), listener.protocol == "UDP"
        if listener.outside:
            return self.sockets.outside(
                name, listener.port, "another port", datagram=datagram, address=listener.address
            )
        return await self.sockets.inside(name, listener.address, listener.port, datagram=datagram)

    async def _serve_dns(self, tried: asyncio.Event) -> None:
        """Serve names; ``tried`` is set when they are served, or cannot be for now."""
        loop = asyncio.get_running_loop()
        wait = RETRY_SECONDS
        while True:
            datagram: socket.socket | None = None
            try:
                datagram = await self.sockets.inside(
                    "dns-udp", self._dns_address, DNS_PORT, datagram=True
                )
                listening = await self.sockets.inside(
                    "dns-tcp", self._dns_address, DNS_PORT, datagram=False
                )
            except (RuntimeFailure, OSError) as error:
                if datagram is not None:
                    datagram.close()
                self._problem("DNS", str(error))
                tried.set()
                await self._clock.sleep(wait)
                wait = min(wait * 2, LONGEST_RETRY_SECONDS)
                continue
            self._solved("DNS")
            loop.call_soon(tried.set)
            await dns.serve(self._resolver, datagram, listening)

    async def _serve_dns_on_host(self) -> None:
        """Serve the same names on the host, where this user may have the port and nobody else has it."""
        wait = RETRY_SECONDS
        while self._host_dns:
            datagram: socket.socket | None = None
            try:
                datagram = self.sockets.outside(
                    "dns-udp", DNS_PORT, "", datagram=True, address=self._host_dns
                )
                listening = self.sockets.outside("dns-tcp", DNS_PORT, "", address=self._host_dns)
            except ReconcilerError:
                if datagram is not None:
                    datagram.close()
                await self._clock.sleep(wait)
                wait = min(wait * 2, LONGEST_RETRY_SECONDS)
                continue
            self.dns_on_host = self._host_dns
            self.on_problems()
            await dns.serve(self._resolver, datagram, listening)

    # -- what changes --------------------------------------------------------------------------------------------

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is not None:
            self._apply(self._table.set_service((namespace_of(obj), name_of(obj)), new))

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        left = slice_service(old) if old is not None else None
        joined = slice_service(new) if new is not None else None
        if old is not None and left is not None and left != joined:
            self._apply(self._table.set_slice(left, name_of(old), None))
        if new is not None and joined is not None:
            self._apply(self._table.set_slice(joined, name_of(new), new))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is not None and wants_host_ports(obj):
            self._apply(self._table.set_pod((namespace_of(obj), name_of(obj)), new))

    def _ingress_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is not None:
            self._table.ingress.set_ingress((namespace_of(obj), name_of(obj)), new)

    def _class_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is not None:
            self._table.ingress.set_class(name_of(obj), new)

    def _secret_for(self, host: str) -> Object | None:
        place = self._table.ingress.secret_for(host)
        return self._objects.snapshot.get(kinds.SECRET, *place) if place is not None else None


def _claimant(namespace: str, name: str) -> str:
    """Return who wants a listener, as a user would write it."""
    pod = name.removeprefix("Pod/")
    return f"Service {namespace}/{name}" if pod == name else f"Pod {namespace}/{pod}"


def _title(listener: Listener) -> str:
    where = (listener.address or "the host") if listener.outside else listener.address
    return f"{listener.protocol} {where}:{listener.port}"
