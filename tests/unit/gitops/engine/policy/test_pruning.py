"""What may be deleted, decided before the first delete."""

from __future__ import annotations

import pytest

from reconciler.api.objects import Key, Object
from reconciler.gitops.engine.policy.pruning import PruneLimit, Pruning, pruning

DEFAULT = PruneLimit()


def live(kind: str, name: str, api: str = "v1", uid: str = "u", **annotations: str) -> Object:
    return {
        "apiVersion": api, "kind": kind,
        "metadata": {"name": name, "namespace": "x", "uid": uid, "annotations": annotations},
    }  # fmt: skip


def decide(
    *objects: Object, total: int = 100, wanted: int = 50, automated: bool = True,
    limit: PruneLimit = DEFAULT, confirmed: str = "",
) -> Pruning:  # fmt: skip
    return pruning(
        [(Key.of(o), o) for o in objects], wanted=wanted, total=total, automated=automated,
        limit=limit, confirmed=confirmed,
    )  # fmt: skip


MAPS = [live("ConfigMap", f"m{i}") for i in range(20)]


@pytest.mark.parametrize(
    ("limit", "prunes", "total", "held"),
    [
        (PruneLimit(), 10, 12, False),  # a few objects are no accident
        (PruneLimit(), 11, 12, True),  # most of them, and many
        (PruneLimit(), 20, 100, False),
        (PruneLimit(3, None, 0), 3, 100, False),
        (PruneLimit(3, None, 0), 4, 100, True),
        (PruneLimit(None, 30, 0), 3, 10, False),
        (PruneLimit(None, 30, 0), 4, 10, True),
        (PruneLimit(0, None, 0), 1, 100, True),
        (PruneLimit(None, 100, 0), 20, 20, False),
    ],
)
def test_limits(limit: PruneLimit, prunes: int, total: int, held: bool) -> None:
    """More than the limit: nothing at all is deleted."""
    found = decide(*MAPS[:prunes], total=total, limit=limit)
    assert len(found.prunes) == (0 if held else prunes)
    assert len(found.held) == (prunes if held else 0)


@pytest.mark.parametrize(
    "obj",
    [
        live("PersistentVolumeClaim", "data"), live("PersistentVolume", "data"),
        live("Namespace", "shop"), live("StatefulSet", "db", "apps/v1"),
        live("Application", "other", "reconciler.dev/v1"),
        live("ConfigMap", "c", **{"reconciler.dev/prune": "confirm"}),
        live("ConfigMap", "c", **{"argocd.argoproj.io/sync-options": "Prune=confirm"}),
    ],
    ids=lambda o: o["kind"],
)  # fmt: skip
def test_what_holds_data_waits_for_a_confirmation_of_just_it(obj: Object) -> None:
    waiting = decide(obj, MAPS[0])
    assert [k.name for k in waiting.prunes] == ["m0"]
    assert [h.key for h in waiting.held] == [Key.of(obj)]
    assert [k.name for k in decide(obj, MAPS[0], confirmed=waiting.digest).prunes] == ["m0", obj["metadata"]["name"]]  # fmt: skip
    made_again = {**obj, "metadata": {**obj["metadata"], "uid": "another"}}
    assert decide(made_again, confirmed=decide(obj).digest).prunes == ()


def test_never_prune_what_says_so_nor_for_an_empty_render_whatever_is_confirmed() -> None:
    kept = live("ConfigMap", "kept", **{"reconciler.dev/prune": "disabled"})
    argo = live("ConfigMap", "argo", **{"argocd.argoproj.io/sync-options": "Prune=false"})
    found = decide(kept, argo)
    assert (found.prunes, found.digest) == ((), "")
    empty = decide(*MAPS, wanted=0)
    assert empty.prunes == ()
    assert not any(h.confirmable for h in empty.held)


def test_without_automated_prune_everything_waits() -> None:
    waiting = decide(MAPS[0], automated=False)
    assert waiting.prunes == ()
    assert decide(MAPS[0], automated=False, confirmed=waiting.digest).prunes == (Key.of(MAPS[0]),)
