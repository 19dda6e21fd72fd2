"""Random stories of edits and faults: everything holds, a story is the same each time, and a failing one is shrunk."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from reconciler.cli.simulate import command
from reconciler.simulation import FAULTS, Step, Story, Verdict, play, shrink, tell
from reconciler.simulation.disk import Disk

if TYPE_CHECKING:
    from reconciler.store.protocol import Record


SEEDS = 2000
#: In one test, which lasts some seconds.
CHUNK = 50


@pytest.mark.timeout(240)
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_everything_holds_whatever_happens(first: int) -> None:
    """DP08, R01, S01: seeds of `reconciler simulate`; a failure says how it is replayed."""
    seeds = f"{first}..{first + CHUNK - 1}"
    result = CliRunner().invoke(command, ["--seeds", seeds, "--hours", "0.1"])
    assert result.exit_code == 0, result.output


def test_a_seed_gives_the_same_story_with_the_same_end() -> None:
    story = tell(7)
    assert tell(7) == story
    assert tell(8) != story
    assert play(story) == play(story)


def test_the_seeds_that_are_played_hold_every_fault_many_times() -> None:
    told = Counter(what for seed in range(SEEDS) for what in {s.what for s in tell(seed).steps})
    assert min(told[fault] for fault in FAULTS) >= 80, told


def test_a_fault_that_is_not_asked_for_does_not_come() -> None:
    told = {s.what for seed in range(50) for s in tell(seed, ["crash"]).steps}
    assert "crash" in told
    assert not told & (FAULTS.keys() - {"crash"})


def test_a_failing_story_loses_what_it_does_not_need() -> None:
    def fails(story: Story) -> Verdict:
        present = {s.what for s in story.steps}
        return Verdict(story, "broken" if {"create", "crash"} <= present else "", 1, 0)

    steps = tuple(Step(float(n), w) for n, w in enumerate(("create", "scale", "crash", "jump")))
    assert [s.what for s in shrink(fails(Story(1, steps)), fails).story.steps] == [
        "create",
        "crash",
    ]


def test_a_lost_deletion_of_data_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The invariants see the store: a claim that goes away by itself ends the story."""
    append = Disk.append

    async def forgetful(self: Disk, records: Any) -> None:
        kept: list[Record] = list(records)
        await append(self, kept)
        for record in kept:
            if record.key.startswith("//PersistentVolumeClaim/") and record.value:
                await append(self, [record._replace(value=None)])

    monkeypatch.setattr(Disk, "append", forgetful)
    story = Story(1, (Step(0.0, "create", "statefulset-0", 1),))
    assert "data was deleted" in play(story).broken
