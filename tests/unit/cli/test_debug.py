"""``debug``: what it asks for, and what container it adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.debug import debugger
from tests.unit.cli.line import reconciler

if TYPE_CHECKING:
    from pathlib import Path

POD: dict[str, Any] = {
    "spec": {"containers": [{"name": "a", "image": "one:1"}, {"name": "b", "image": "two:2"}]}
}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say what to run"),
        (("-t", "--", "ls"), "-i is needed for a terminal"),
        (("--env", "A", "--", "ls"), "'A' is not KEY=VALUE"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = reconciler("--state-dir", str(tmp_path), "debug", "web-0", *arguments)
    assert done.exit_code == 2
    assert told in done.stderr


def test_the_image_is_that_of_what_is_looked_at_unless_one_is_named() -> None:
    def image(**options: str) -> str:
        given = {"image": "", "target": "", "profile": "general"} | options
        return str(debugger(POD, "d", ["ls"], **given)["image"])

    assert (image(), image(target="b"), image(image="x:3", target="b")) == ("one:1", "two:2", "x:3")
