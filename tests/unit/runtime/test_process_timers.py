"""The supervisor's timers: in order, each once, none that was cancelled, and nothing kept of those."""

from __future__ import annotations

import weakref
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from reconciler.runtime.process.supervisor.timers import Timers


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans())), st.integers(0, 60))
def test_what_is_due_is_called_in_its_order_and_what_was_cancelled_never(
    wanted: list[tuple[int, bool]], until: int
) -> None:
    now = Now()
    timers = Timers(now)
    called: list[tuple[int, int]] = []
    for number, (seconds, cancelled) in enumerate(wanted):
        one = timers.add(seconds, partial(called.append, (seconds, number)))
        if cancelled:
            timers.cancel(one)
            timers.cancel(one)
    now.seconds += until
    timers.run()
    kept = [(at, n) for n, (at, cancelled) in enumerate(wanted) if not cancelled]
    assert called == sorted(one for one in kept if one[0] <= until)
    now.seconds += 60
    timers.run()
    assert called == sorted(kept)
    assert timers.wait() is None


def test_cancelled_timers_keep_nothing_and_do_not_pile_up() -> None:
    class Held:
        def call(self) -> None: ...

    timers = Timers(Now())
    timers.add(3600, Held().call)
    for _ in range(1000):
        held = Held()
        timer = timers.add(3600, held.call)
        gone = weakref.ref(held)
        del held
        timers.cancel(timer)
        assert gone() is None
    assert len(timers) <= 3


def test_the_wait_is_for_the_earliest() -> None:
    now = Now()
    timers = Timers(now)
    assert timers.wait() is None
    timers.add(5, lambda: None)
    timers.add(2, lambda: None)
    assert timers.wait() == 2
    now.seconds += 3
    assert timers.wait() == 0
    timers.run()
    assert timers.wait() == 2
