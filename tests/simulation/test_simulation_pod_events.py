"""The Events that a kubelet records about its Pods, under virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.clock import run_virtual
from reconciler.errors import RuntimeFailure
from tests.simulation.plane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import pytest

    Story = Callable[[ControlPlane], Awaitable[None]]


def _run(tmp_path: Path, story: Story) -> None:
    async def main() -> None:
        async with ControlPlane(tmp_path).running() as plane:
            await story(plane)

    run_virtual(main())


async def _pod(plane: ControlPlane, **spec: Any) -> None:
    await plane.registry.create({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "a:1", "command": ["app"]}], **spec},
    })  # fmt: skip


async def _told(plane: ControlPlane, reason: str) -> list[tuple[str, str]]:
    """Return type and message of the Events of a reason, once they are written."""
    await plane.clock.sleep(2)
    events = (await plane.registry.list(kinds.EVENT, "default")).items
    return [(e["type"], e["message"]) for e in events if e["reason"] == reason]


def test_a_sandbox_that_is_lost_is_made_again_and_that_is_told(tmp_path: Path) -> None:
    async def story(plane: ControlPlane) -> None:
        await _pod(plane)
        await plane.until(lambda: bool(plane.ready_pods()))
        assert not await _told(plane, "SandboxChanged")
        (box,) = await plane.runtime.pods()
        await plane.runtime.stop_pod_sandbox(box.id)
        await plane.clock.sleep(70)
        assert await _told(plane, "SandboxChanged") == [
            ("Normal", "Pod sandbox changed, it will be killed and re-created.")
        ]
        assert plane.ready_pods()

    _run(tmp_path, story)


def test_the_end_of_a_deadline_is_told(tmp_path: Path) -> None:
    """P19: once, in the words of the status."""

    async def story(plane: ControlPlane) -> None:
        await _pod(plane, activeDeadlineSeconds=10, terminationGracePeriodSeconds=1)
        await plane.clock.sleep(120)
        (pod,) = plane.pods()
        told = "Pod was active on the node longer than the specified deadline"
        assert (pod["status"]["reason"], pod["status"]["message"]) == ("DeadlineExceeded", told)
        assert await _told(plane, "DeadlineExceeded") == [("Normal", told)]

    _run(tmp_path, story)


def test_what_a_resolver_does_not_take_is_told(tmp_path: Path) -> None:
    async def story(plane: ControlPlane) -> None:
        own = {
            "nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
            "searches": [f"s{n}.example" for n in range(31)],
        }
        await _pod(plane, dnsConfig=own)
        await plane.until(lambda: bool(plane.ready_pods()))
        servers, searches = await _told(plane, "DNSConfigForming")
        assert servers[0] == "Warning"
        assert servers[1] == (
            "Nameserver limits were exceeded, some nameservers have been omitted, "
            "the applied nameserver line is: 10.96.0.10 192.0.2.1 192.0.2.2"
        )
        assert searches[1].startswith(
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
            "default.svc.cluster.local svc.cluster.local cluster.local s0.example "
        )
        assert searches[1].endswith(" s28.example")

    _run(tmp_path, story)


def test_what_cannot_be_made_or_ended_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(plane: ControlPlane) -> None:
        refused = 0

        async def refuse(*_: object) -> Any:
            nonlocal refused
            refused += 1
            raise RuntimeFailure("no room")

        with monkeypatch.context() as patched:
            patched.setattr(plane.runtime, "run_pod_sandbox", refuse)
            await _pod(plane)
            assert ("Warning", "Failed to create pod sandbox: no room") in await _told(
                plane, "FailedCreatePodSandBox"
            )
        await plane.until(lambda: bool(plane.ready_pods()))
        with monkeypatch.context() as patched:
            patched.setattr(plane.runtime, "stop_container", refuse)
            refused = 0
            await plane.registry.delete(kinds.POD, "web", "default")
            assert await _told(plane, "FailedKillPod") == [
                ("Warning", "error killing pod: no room")
            ]
            # It is tried again, and not all the time.
            await plane.clock.sleep(8)
            assert 5 <= refused <= 15
        await plane.until(lambda: not plane.pods())

    _run(tmp_path, story)
