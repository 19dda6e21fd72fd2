"""The tokens that one Pod's projected volumes show, each asked for anew before it grows old (the kubelet's token manager)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from reconciler.api.objects import uid_of
from reconciler.api.tokens import BoundObject, Token, TokenRequest, account_of
from reconciler.clock import READ_LATER
from reconciler.errors import ApiError, RuntimeFailure
from reconciler.kubelet.volumes import token_key

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.kubelet.scope import PodScope

log = structlog.get_logger(__name__)

#: A token is replaced once so much of its life has passed, and at the latest after so many seconds.
_LIFE = 0.8
_LONGEST_USE = 24 * 3600.0
#: How much earlier than that, at random, so that not all are replaced at once, in seconds.
_JITTER = 10.0


class _Held(NamedTuple):
    token: Token
    since: float
    replace_at: float


class PodTokens:
    """The tokens of one Pod. None outlives the daemon here: after a restart new ones are written."""

    __slots__ = ("_held", "_scope")

    def __init__(self, scope: PodScope) -> None:
        self._scope = scope
        self._held: dict[tuple[str, int], _Held] = {}

    def are_due(self, pod: Object) -> bool:
        """Whether a token is missing or shall be replaced."""
        return any(not self._is_fresh(key) for key in _wanted(pod))

    async def current(self, pod: Object) -> dict[tuple[str, int], Token]:
        """Return the Pod's tokens, those that are due replaced. Raises ``RuntimeFailure`` (FailedMount) where one cannot be had.

        One that cannot be replaced is shown on until it expires.
        """
        found = {}
        for key, volume in _wanted(pod).items():
            if not self._is_fresh(key):
                await self._replace(pod, key, volume)
            if key in self._held:
                found[key] = self._held[key].token
        return found

    def _is_fresh(self, key: tuple[str, int]) -> bool:
        held, now = self._held.get(key), self._scope.node.clock.now()
        # One of later than now is of before the clock was set back: how old it is is not known.
        return held is not None and held.since - READ_LATER <= now < held.replace_at

    async def _replace(self, pod: Object, key: tuple[str, int], volume: str) -> None:
        node, (audience, seconds) = self._scope.node, key
        if node.tokens is None:
            return
        bound = BoundObject("v1", "Pod", pod["metadata"]["name"], uid_of(pod))
        asked = TokenRequest(
            pod["metadata"]["namespace"],
            account_of(pod),
            (audience,) if audience else (),
            seconds,
            bound,
        )
        now = node.clock.now()
        try:
            token = await node.tokens.request(asked)
        except ApiError as error:
            held = self._held.get(key)
            if held is None or held.token.expires_at <= now:
                raise RuntimeFailure(
                    f'MountVolume.SetUp failed for volume "{volume}": failed to fetch token: {error}',
                    reason="FailedMount",
                ) from error
            log.warning("token is not replaced yet", pod=self._scope.where, error=str(error))
            return
        life = min((token.expires_at - now) * _LIFE, _LONGEST_USE)
        early = node.entropy.uniform(0.0, _JITTER)
        self._held[key] = _Held(token, now, now + life - early)


def _wanted(pod: Object) -> dict[tuple[str, int], str]:
    """Return the tokens that a Pod shows, with the first volume that does."""
    found: dict[tuple[str, int], str] = {}
    for volume in pod["spec"].get("volumes") or ():
        for part in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in part:
                found.setdefault(token_key(part["serviceAccountToken"]), volume["name"])
    return found
