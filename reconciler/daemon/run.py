"""Putting the parts together, and taking them apart."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import os
import signal
from typing import TYPE_CHECKING, Any

import structlog

from reconciler import __version__
from reconciler.api import kinds as kind_table
from reconciler.api import schemas
from reconciler.apiserver import ApiServer, Observing
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.config.address import Address, parse_address
from reconciler.control import EventWriter, InformerCache, Plane, Recorder, required_kinds
from reconciler.controllers import all_controllers
from reconciler.daemon import (
    collector,
    identity,
    images,
    losses,
    machine,
    migration,
    ownlog,
    proxy,
    seeds,
    state,
    webhook,
)
from reconciler.daemon.aside import Threads
from reconciler.daemon.bootstrap import bootstrap
from reconciler.daemon.health import Health
from reconciler.daemon.metrics import Metrics
from reconciler.daemon.notifying import Notifying
from reconciler.daemon.reload import Reloader
from reconciler.daemon.systemd import Notifier
from reconciler.errors import ConfigError
from reconciler.gitops import engine
from reconciler.gitops.generate import AgeKeys
from reconciler.gitops.history import FileHistory
from reconciler.gitops.source import Sources
from reconciler.kubelet import KINDS, AlwaysReady, ClusterDNS, Kubelet, PodUsages
from reconciler.proxy import ProxyLink
from reconciler.registry import Registry
from reconciler.registry.tokens import ServiceAccountTokens
from reconciler.runtime.memory import MemoryRuntime
from reconciler.runtime.process import ProcessRuntime
from reconciler.scheduler import Scheduler
from reconciler.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from reconciler.api.objects import Object
    from reconciler.clock import Clock
    from reconciler.config import Config
    from reconciler.daemon.options import Options
    from reconciler.runtime.cri import Runtime
    from reconciler.telemetry.measures import Measured

log = structlog.get_logger(__name__)

#: Which address of the Service range is the cluster's DNS.
DNS_OFFSET = 10
CLUSTER_DOMAIN = "cluster.local"
#: The loops without which a daemon is not ready.
LOOPS = ("proxy", "kubelet", "controllers", "gitops", "api")


async def run(
    options: Options,
    *,
    ready: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
    interrupted: asyncio.Event | None = None,
) -> None:
    """Run a daemon until ``stop`` is set, SIGTERM or SIGINT comes, or the API asks for it.

    SIGHUP reads the configuration again. With ``interrupted``, signals set that instead of stopping: the caller then says
    what is stopped (``up`` in the foreground). Workloads go on running afterwards. Raises ``ConfigError`` when another
    daemon holds the state directory.
    """
    stop = stop or asyncio.Event()
    collector.tune()
    state.prepare(options.state_dir)
    with state.locked(options.state_dir):
        migration.migrate(options.state_dir, SystemClock())
        schemas.use(schemas.Library(schemas.directory(), options.state_dir / "schemas"))
        async with contextlib.AsyncExitStack() as stack:
            daemon = _Daemon(options, stop)
            await daemon.open(stack)
            await daemon.serve(ready, interrupted or stop)
        await daemon.close()


def make_runtime(
    options: Options,
    clock: Clock,
    applications: Callable[[], Iterable[Object]],
    current: Callable[[], Config],
) -> Runtime:
    """Return the runtime that the options name; ``current`` is the configuration that holds when it is asked. Raises ``ConfigError`` for one that is not there."""
    config = options.config
    pods, services = config.network.pod_cidr, config.network.service_cidr
    if config.runtime.name == "memory":
        return MemoryRuntime(clock=clock, pod_cidr=pods, service_cidr=services)
    if config.runtime.name == "process":
        return ProcessRuntime(
            options.state_dir, clock=clock, pod_cidr=pods, service_cidr=services,
            images=lambda: images.mappings(current().runtime.process.images, applications()),
            root_filesystem=config.runtime.process.root_filesystem,
            pod_pids_limit=config.runtime.process.pod_pids_limit,
        )  # fmt: skip
    raise ConfigError(f"unknown runtime {config.runtime.name!r}: process and memory are available")


class _Daemon:
    """The parts, once they are made."""

    def __init__(self, options: Options, stop: asyncio.Event) -> None:
        self._options = options
        self._stop = stop
        self._clock = SystemClock()
        self._entropy = SystemEntropy()
        self._reloader: Reloader | None = None
        self._runtime = make_runtime(options, self._clock, self._applications, self._config)
        self._ends_runtime = False
        self._notifier = Notifier.from_environment(self._clock, os.environ)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._metrics_at: Address | None = None
        self._webhook_at = ""

    def _config(self) -> Config:
        """Return the configuration that holds now."""
        return self._reloader.config if self._reloader is not None else self._options.config

    def _applications(self) -> Iterable[Object]:
        return self._cache.snapshot.list(kind_table.APPLICATION)

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Open what has a beginning and an end: runtime, store."""
        options, clock, entropy = self._options, self._clock, self._entropy
        seeded = seeds.read(options.config.applications)
        await self._runtime.open()
        stack.push_async_callback(self._runtime.close)
        machine.raise_file_limit()
        network = self._runtime.network
        store = SqliteStore(options.state_dir / "cluster.db")
        self._registry = Registry(
            store,
            clock=clock,
            entropy=entropy,
            service_cidr=network.service_cidr,
            pod_security_level=options.config.pod_security.enforce,
        )
        await self._registry.start()
        stack.push_async_callback(self._registry.close)
        await bootstrap(self._registry)
        node = await identity.node_name(self._registry, machine.hostname())
        await seeds.apply(self._registry, seeded)
        net = options.config.network
        address = machine.address_for(net.listen)
        self._usage = PodUsages(self._runtime, node, machine.usage, self._clock)
        controllers = (*all_controllers(address=address, metrics=self._usage), Scheduler())
        kinds = dict.fromkeys(
            [*required_kinds(controllers), *KINDS, *ProxyLink.KINDS, *engine.KINDS]
        )
        self._cache = InformerCache(self._registry, kinds, clock=clock)
        self._events = EventWriter(self._registry, clock)
        self._plane = Plane(self._registry, self._cache, controllers, self._events, clock=clock)
        dns = str(ipaddress.ip_network(network.service_cidr)[DNS_OFFSET])
        pretends = self._runtime.name == "memory"
        settings = proxy.Settings(
            network.pod_cidr, network.service_cidr, net.listen, net.http_port, net.https_port,
            dns, machine.loopback_address(options.state_dir), CLUSTER_DOMAIN,
        )  # fmt: skip
        self._proxy = None if pretends else proxy.link(
            self._cache, options.state_dir, settings, clock
        )  # fmt: skip
        tokens = ServiceAccountTokens(
            self._registry, clock=clock, entropy=entropy, key=lambda: state.token_key(options.state_dir)
        )  # fmt: skip
        self._kubelet = Kubelet(
            self._registry, self._cache, self._runtime, clock=clock, entropy=entropy,
            recorder=Recorder(self._events, "kubelet"), state_dir=options.state_dir,
            node_name=node, host_ip=address, dns=ClusterDNS(dns, CLUSTER_DOMAIN, machine.resolver()),
            cpu=machine.cpu(), memory=machine.memory(),
            prober=AlwaysReady() if pretends else None,
            drain=self._proxy.settled if self._proxy is not None else None, tokens=tokens,
            host_dns=lambda: self._proxy.dns_on_host if self._proxy is not None else "",
        )  # fmt: skip
        self._sources = Sources(
            options.state_dir / "sources", self._registry, self._cache, clock=clock, entropy=entropy
        )
        syncs = engine.SyncMeasures(self._cache.snapshot)
        self._notifying = Notifying(
            self._registry, clock=clock, entropy=entropy,
            recorder=Recorder(self._events, "reconciler"),
        )  # fmt: skip
        self._notifying.configure(options.config.notifications)
        observers = [syncs.count, self._notifying.tell]
        measured: list[Measured] = [
            self._registry, self._plane, syncs, self._kubelet, self._notifying,
        ]  # fmt: skip
        self._engine = engine.Engine(
            self._registry, self._cache, clock=clock, entropy=entropy,
            recorder=Recorder(self._events, "reconciler"), source_for=self._sources.source_for,
            honoured=self._runtime.honoured_fields, observers=observers, checks=options.checks,
            identities=AgeKeys(options.state_dir / "keys", os.environ), scratch=options.state_dir / "build",
            history=FileHistory(options.state_dir), mask=state.mask_key(options.state_dir), aside=Threads(), tail=engine.AgentTail(self._kubelet),
            retention=engine.Retention(
                options.config.history.limit, options.config.history.max_age_seconds or math.inf
            ),
        )  # fmt: skip
        health = Health(
            self._registry, self._cache, loops=LOOPS[self._proxy is None:], tasks=self._tasks,
            runtime=self._runtime, clock=clock,
        )  # fmt: skip
        if self._proxy is not None:
            measured.append(self._proxy)
        refresh = self._proxy.refresh if self._proxy is not None else None
        metrics = Metrics(measured, runtime=self._runtime.name, refresh=refresh)
        observing = Observing(health.checks, metrics.text)
        self._api = ApiServer(
            self._registry, agent=self._kubelet, clock=clock, version=__version__,
            details=self.details, shutdown=self.shutdown, observing=observing,
            plan=self._engine.plan,
            stop_serving=self.stop_serving, usage=self._usage, tokens=tokens,
        )  # fmt: skip
        self._reloader = Reloader(options, self._registry, self._notifying)
        if options.config.metrics.listen:
            host, port = parse_address(options.config.metrics.listen)
            port = await stack.enter_async_context(observing.serving(host, port))
            self._metrics_at = Address(host, port)
        self._webhook_at = await webhook.open_receiver(
            stack, options.config.webhook, self._sources.wake, clock
        )

    async def serve(self, ready: Callable[[], None] | None, on_signal: asyncio.Event) -> None:
        """Run everything until told to stop; then stop in reverse order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal.set)
        hangup = asyncio.Event()
        if on_signal is self._stop:
            loop.add_signal_handler(signal.SIGHUP, hangup.set)
        async with asyncio.TaskGroup() as group:

            def start(name: str, work: Coroutine[Any, Any, None]) -> None:
                self._tasks[name] = group.create_task(work, name=name)

            start("watchdog", self._notifier.watch())
            start("log", ownlog.keep(self._options.state_dir / "daemon.log", self._clock))
            start("events", self._events.run())
            start("cache", self._cache.run())
            await self._cache.synced()
            if self._proxy is not None:
                start("proxy", self._proxy.run())
                await self._proxy.ready.wait()
            start("kubelet", self._kubelet.run())
            await self._kubelet.ready.wait()
            if self._kubelet.losses:
                await losses.doubt(self._registry, self._applications())
            start("controllers", self._plane.run())
            start("usage", self._usage.run())
            start("sources", self._sources.run())
            start("notifications", self._notifying.run())
            start("gitops", self._judge())
            start("api", self._api.serve_unix(self._options.state_dir / "api.sock"))
            await self._api.ready.wait()
            start("reload", self._reload_on(hangup))
            log.info("ready", state=str(self._options.state_dir), **self.details()["ingress"])
            self._notifier.ready("running")
            if ready is not None:
                ready()
            await self._stop.wait()
            log.info("stopping; workloads go on")
            self._notifier.stopping("stopping; workloads go on")
            for task in reversed(self._tasks.values()):
                task.cancel()
                await asyncio.wait([task])

    async def _judge(self) -> None:
        """Run the engine, once the control plane knows what does not run any more: it judges by what that says."""
        if self._kubelet.losses:
            await self._plane.settled(losses.SETTLE_SECONDS)
        await self._engine.run()

    async def _reload_on(self, hangup: asyncio.Event) -> None:
        while True:
            await hangup.wait()
            hangup.clear()
            self._notifier.reloading()
            if self._reloader is not None:
                self._notifier.ready(await self._reloader.reload())

    async def close(self) -> None:
        """End the machinery of a runtime in which nothing is left, where that was asked for."""
        if self._ends_runtime:
            await self.stop_serving()
            await self._runtime.shutdown()

    def shutdown(self) -> None:
        """End this daemon, and with it a runtime in which nothing runs any more (``down``)."""
        self._ends_runtime = True
        self._stop.set()

    async def stop_serving(self) -> None:
        """End the proxy: what ends from now on is not waited for (``down``)."""
        if self._proxy is not None:
            await self._proxy.stop()

    def details(self) -> dict[str, Any]:
        """Return what ``status`` shows of the daemon itself."""
        proxy = self._proxy
        return {
            "pid": os.getpid(),
            "version": __version__,
            "runtime": self._runtime.name,
            "stateDir": str(self._options.state_dir),
            "ingress": {
                "http": proxy.http_url if proxy else "",
                "https": proxy.https_url if proxy else "",
            },
            "metrics": f"http://{self._metrics_at}/metrics" if self._metrics_at else "",
            "webhook": self._webhook_at,
            "problems": [
                *filter(None, [self._registry.problem]),
                *self._runtime.problems,
                *(proxy.problems() if proxy else ()),
            ],
        }
