"""A Pod's projected token is replaced before it expires, under virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.tokens import BoundObject, Token, TokenRequest
from reconciler.clock import run_virtual
from reconciler.errors import NotFound
from tests.simulation.plane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from reconciler.api.objects import Object

if TYPE_CHECKING:
    Story = Callable[[ControlPlane], Awaitable[None]]


class Numbered:
    """Gives tokens that are their number; none while ``refuses``."""

    def __init__(self) -> None:
        self.asked: list[TokenRequest] = []
        self.refuses = False
        self.now: Callable[[], float] = lambda: 0.0

    async def request(self, asked: TokenRequest) -> Token:
        if self.refuses:
            raise NotFound('serviceaccounts "robot" not found')
        self.asked.append(asked)
        number = str(len(self.asked))
        return Token(number, asked.audiences, self.now() + asked.seconds)


def _run(tmp_path: Path, source: Numbered, story: Story) -> None:
    async def main() -> None:
        plane = ControlPlane(tmp_path, tokens=source)
        source.now = plane.clock.now
        async with plane.running():
            await story(plane)

    run_virtual(main())


async def _pod(plane: ControlPlane, *sources: dict[str, Any]) -> Object:
    volume = {"name": "t", "projected": {"sources": list(sources)}}
    return await plane.registry.create({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "serviceAccountName": "robot", "volumes": [volume],
            "containers": [{"name": "c", "image": "a:1", "command": ["app"]}],
        },
    })  # fmt: skip


def _token(path: str = "token", **fields: Any) -> dict[str, Any]:
    return {"serviceAccountToken": {"path": path, **fields}}


def _shown(tmp_path: Path, pod: Object, name: str = "token") -> str:
    path = tmp_path / "pods" / pod["metadata"]["uid"] / "volumes/t" / name
    return path.read_text() if path.exists() else ""


def test_a_token_is_replaced_at_four_fifths_of_its_life(tmp_path: Path) -> None:
    source = Numbered()

    async def story(plane: ControlPlane) -> None:
        pod = await _pod(plane, _token(audience="shop", expirationSeconds=600))
        await plane.until(lambda: bool(plane.ready_pods()))
        assert _shown(tmp_path, pod) == "1"
        bound = BoundObject("v1", "Pod", "web", pod["metadata"]["uid"])
        assert source.asked == [TokenRequest("default", "robot", ("shop",), 600, bound)]
        began = plane.clock.now()
        await plane.until(lambda: _shown(tmp_path, pod) == "2")
        # 480 s, less ten of chance; the kubelet looks at a Pod every minute.
        assert 465 <= plane.clock.now() - began <= 545
        await plane.registry.delete(kinds.POD, "web", "default")
        await plane.clock.sleep(900)
        assert len(source.asked) == 2

    _run(tmp_path, source, story)


def test_a_token_that_lives_long_is_replaced_once_a_day(tmp_path: Path) -> None:
    source = Numbered()

    async def story(plane: ControlPlane) -> None:
        pod = await _pod(plane, _token(expirationSeconds=1_000_000))
        await plane.until(lambda: bool(plane.ready_pods()))
        assert source.asked[0].audiences == ()
        await plane.clock.sleep(23.9 * 3600)
        assert _shown(tmp_path, pod) == "1"
        await plane.clock.sleep(600)
        assert _shown(tmp_path, pod) == "2"

    _run(tmp_path, source, story)


def test_what_cannot_be_replaced_is_shown_on_and_replaced_later(tmp_path: Path) -> None:
    source = Numbered()

    async def story(plane: ControlPlane) -> None:
        pod = await _pod(plane, _token(expirationSeconds=600))
        await plane.until(lambda: bool(plane.ready_pods()))
        source.refuses = True
        await plane.clock.sleep(550)
        assert _shown(tmp_path, pod) == "1"
        source.refuses = False
        await plane.clock.sleep(60)
        assert _shown(tmp_path, pod) == "2"
        assert plane.ready_pods()

    _run(tmp_path, source, story)


def test_a_pod_without_its_account_waits_and_says_why(tmp_path: Path) -> None:
    source = Numbered()
    source.refuses = True

    async def story(plane: ControlPlane) -> None:
        await _pod(plane, _token())
        await plane.clock.sleep(5)
        (pod,) = plane.pods()
        assert pod["status"]["phase"] == "Pending"
        events = (await plane.registry.list(kinds.EVENT, "default")).items
        told = {e["message"] for e in events if e["reason"] == "FailedMount"}
        assert told == {
            'MountVolume.SetUp failed for volume "t": failed to fetch token: serviceaccounts "robot" not found'
        }
        source.refuses = False
        await plane.until(lambda: bool(plane.ready_pods()))

    _run(tmp_path, source, story)


def test_each_audience_and_lifetime_has_a_token_of_its_own(tmp_path: Path) -> None:
    source = Numbered()

    async def story(plane: ControlPlane) -> None:
        pod = await _pod(
            plane, _token("a", audience="a"), _token("a2", audience="a"), _token("b", audience="b")
        )
        await plane.until(lambda: bool(plane.ready_pods()))
        assert [_shown(tmp_path, pod, name) for name in ("a", "a2", "b")] == ["1", "1", "2"]

    _run(tmp_path, source, story)
