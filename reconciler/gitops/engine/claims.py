"""Which Applications want which objects. In memory, shared by all loops; the loops fill it as they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from reconciler.api.objects import Key


class Claims:
    """Who wants what, the first to want it first. An update costs what changed."""

    def __init__(self, released: Callable[[str, Key], None]) -> None:
        """``released`` is called with each Application that still wants an object which another has let go."""
        self._released = released
        self._by_key: dict[Key, list[str]] = {}
        self._by_app: dict[str, set[Key]] = {}

    def claim(self, app: str, wanted: Collection[Key]) -> None:
        """An Application has read its source: it wants these and nothing else."""
        old = self._by_app.get(app, set())
        new = set(wanted)
        for key in new - old:
            self._by_key.setdefault(key, []).append(app)
        self._by_app[app] = new
        self._drop(app, old - new)

    def forget(self, app: str) -> None:
        """An Application is gone."""
        self._drop(app, self._by_app.pop(app, set()))

    def claimants(self, key: Key) -> tuple[str, ...]:
        """Return who wants an object."""
        return tuple(self._by_key.get(key, ()))

    def has_read(self, app: str) -> bool:
        """Whether it is known what an Application wants."""
        return app in self._by_app

    def _drop(self, app: str, keys: Iterable[Key]) -> None:
        for key in keys:
            left = self._by_key.get(key, [])
            if app in left:
                left.remove(app)
            if not left:
                self._by_key.pop(key, None)
            for other in left:
                self._released(other, key)
