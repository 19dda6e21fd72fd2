"""SIGHUP: what may change changes, what may not is named, and a mistake changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from reconciler.api import kinds
from reconciler.clock import SeededEntropy, SystemClock
from reconciler.control import EventWriter, Recorder
from reconciler.daemon.notifying import Notifying
from reconciler.daemon.options import Flags, resolve
from reconciler.daemon.reload import Reloader
from reconciler.errors import NotFound
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore
from reconciler.telemetry import configure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

APPLICATION = """apiVersion: reconciler.dev/v1
kind: Application
metadata: {name: NAME}
spec: {source: {directory: {path: /srv}}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(APPLICATION.replace("NAME", "shop"))
    path = tmp_path / "reconciler.yaml"
    path.write_text("log: {level: info}\n")
    return path


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    registry = Registry(MemoryStore(), clock=SystemClock(), entropy=SeededEntropy())
    await registry.start()
    yield registry
    await registry.close()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


async def has(registry: Registry, name: str) -> bool:
    try:
        await registry.get(kinds.APPLICATION, name)
    except NotFound:
        return False
    return True


async def test_logs_and_applications_hold_at_once(
    file: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    options = resolve(file.parent, Flags(config=file))
    configure("info")
    reloader = Reloader(options, registry)
    structlog.get_logger().debug("too small a thing")
    file.write_text("log: {level: debug, format: json}\napplications: [shop.yaml]\n")

    assert await reloader.reload() == "running"
    assert await has(registry, "shop")
    structlog.get_logger().debug("now it counts")
    said = capsys.readouterr().err
    assert "too small" not in said
    assert '"event": "now it counts"' in said


async def test_what_needs_a_restart_is_named_each_time_until_then(
    file: Path, registry: Registry
) -> None:
    reloader = Reloader(resolve(file.parent, Flags(config=file)), registry)
    file.write_text("network: {httpPort: 81}\nlog: {level: error}\n")
    for _ in range(2):
        assert await reloader.reload() == "running; network.httpPort will hold after a restart"
    file.write_text("")
    assert await reloader.reload() == "running"


async def test_a_flag_still_wins(file: Path, registry: Registry) -> None:
    reloader = Reloader(resolve(file.parent, Flags(config=file, http_port=0)), registry)
    file.write_text("network: {httpPort: 81}\n")
    assert await reloader.reload() == "running"


@pytest.mark.parametrize("text", ["log: {level: loud}\n", "log: [\n", "applications: [nowhere]\n"])
async def test_a_mistake_changes_nothing(
    text: str, file: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("info")
    reloader = Reloader(resolve(file.parent, Flags(config=file)), registry)
    file.write_text(text if "nowhere" in text else text + "applications: [shop.yaml]\n")
    assert "the new one is invalid" in await reloader.reload()
    assert not await has(registry, "shop")
    structlog.get_logger().info("as before")
    assert "as before" in capsys.readouterr().err
    file.write_text("applications: [shop.yaml]\n")
    assert await reloader.reload() == "running"
    assert await has(registry, "shop")


async def test_an_application_that_is_taken_out_stays(file: Path, registry: Registry) -> None:
    reloader = Reloader(resolve(file.parent, Flags(config=file)), registry)
    file.write_text("applications: [shop.yaml]\n")
    await reloader.reload()
    file.write_text("")
    await reloader.reload()
    assert await has(registry, "shop")


async def test_images_and_notifications_hold_at_once(file: Path, registry: Registry) -> None:
    told = Notifying(
        registry, clock=SystemClock(), entropy=SeededEntropy(),
        recorder=Recorder(EventWriter(registry, SystemClock()), "test"),
    )  # fmt: skip
    reloader = Reloader(resolve(file.parent, Flags(config=file)), registry, told)
    assert told.measures() == []
    file.write_text(
        "runtime: {process: {images: [{image: 'web:*', command: [web]}]}}\n"
        "notifications: [{name: ops, webhook: {url: 'http://127.0.0.1:9/'}}]\n"
    )
    assert await reloader.reload() == "running"
    assert [i.image for i in reloader.config.runtime.process.images] == ["web:*"]
    waiting = {f.name: f.values for f in told.measures()}["reconciler_notifications_waiting"]
    assert [labels for labels, _ in waiting] == [("ops",)]
    file.write_text(
        "notifications: [{name: new, template: '{{ nobody', webhook: {url: 'http://h/'}}]"
    )
    assert "the new one is invalid" in await reloader.reload()
    assert reloader.config.notifications[0].name == "ops"
    file.write_text("")
    assert await reloader.reload() == "running"
    assert reloader.config.runtime.process.images == ()
