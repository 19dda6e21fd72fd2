"""dependsOn between Applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.gitops.engine.policy.dependencies import find_circle, unready

if TYPE_CHECKING:
    from reconciler.api.objects import Object

EDGES = {"a": ("b",), "b": ("c", "d"), "c": ("a",), "d": ("e",), "e": ("f",), "f": ("e",)}


@pytest.mark.parametrize(
    ("name", "circle"),
    [
        ("a", ("a", "b", "c", "a")), ("d", ()), ("e", ("e", "f", "e")), ("z", ()),
    ],
)  # fmt: skip
def test_a_circle_is_found_from_its_own_members_only(name: str, circle: tuple[str, ...]) -> None:
    assert find_circle(name, EDGES) == circle


def test_a_long_chain_is_no_circle() -> None:
    assert find_circle("0", {str(i): (str(i + 1),) for i in range(5_000)}) == ()


def app(sync: str, health: str, seen: int = 1) -> Object:
    return {
        "metadata": {"name": "db", "generation": 1},
        "status": {
            "observedGeneration": seen,
            "sync": {"status": sync},
            "health": {"status": health},
        },
    }


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "db, which does not exist"),
        (app("Synced", "Healthy"), ""),
        (app("Synced", "Healthy", seen=0), "db, which has not been looked at yet"),
        (app("OutOfSync", "Healthy"), "db, which is OutOfSync"),
        (app("Synced", "Progressing"), "db, which is Progressing"),
    ],
)
def test_readiness(found: Object | None, why: str) -> None:
    assert unready(["db"], lambda _: found) == ((why,) if why else ())
