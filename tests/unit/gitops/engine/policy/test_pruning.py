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


def user_of(*names: str, kind: str = "StatefulSet", **annotations: str) -> Object:
    """Return a workload that reads the ConfigMaps of these names."""
    sources = [{"configMapRef": {"name": name}} for name in names]
    pod = {"containers": [{"name": "c", "image": "i", "envFrom": sources}]}
    spec = {"serviceName": "svc", "template": {"spec": pod}}
    return {**live(kind, "db", "apps/v1", **annotations), "spec": spec}


def test_what_an_object_that_waits_works_with_waits_with_it() -> None:
    """A StatefulSet that nobody has let go yet must be able to start its Pods again."""
    used, service, other = live("ConfigMap", "used"), live("Service", "svc"), live("ConfigMap", "o")
    found = decide(used, service, other, user_of("used"))
    assert [k.name for k in found.prunes] == ["o"]
    assert {h.key.name for h in found.held} == {"db", "used", "svc"}
    assert "StatefulSet" in next(h.reason for h in found.held if h.key.name == "used")
    confirmed = decide(used, service, other, user_of("used"), confirmed=found.digest)
    assert {k.name for k in confirmed.prunes} == {"db", "used", "svc", "o"}


def test_no_confirmation_lets_go_what_an_object_uses_that_is_never_pruned() -> None:
    used = live("ConfigMap", "used")
    kept = user_of("used", kind="Deployment", **{"reconciler.dev/prune": "disabled"})
    asks = {**user_of("used"), "metadata": {**user_of("used")["metadata"], "name": "other"}}
    found = decide(used, kept, asks)
    confirmed = decide(used, kept, asks, confirmed=found.digest)
    assert [k.name for k in confirmed.prunes] == ["other"]
    assert {h.key.name for h in confirmed.held} == {"db", "used"}
