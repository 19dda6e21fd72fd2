"""Whose an object is."""

from __future__ import annotations

import pytest

from reconciler.api.objects import Key, Object
from reconciler.gitops.engine.policy.ownership import Claim, refusal

KEY = Key("", "ConfigMap", "x", "a")


def obj(owner: str = "", manager: str = "", **annotations: str) -> Object:
    marks = {"reconciler.dev/application": owner} if owner else {}
    fields = [{"manager": manager}] if manager else []
    meta = {"name": "a", "annotations": {**marks, **annotations}, "managedFields": fields}
    return {"kind": "ConfigMap", "metadata": meta}


@pytest.mark.parametrize(
    ("live", "claim", "adopt", "condition"),
    [
        (None, Claim(["shop"]), False, ""),
        (None, Claim(["shop", "blog"]), False, ""),
        (None, Claim(["blog", "shop"]), False, "SharedResource"),  # first come, first served
        (obj("shop"), Claim(["blog", "shop"], True, True), False, ""),
        (obj("blog"), Claim(["shop", "blog"], True, True), False, "SharedResource"),
        (obj("blog"), Claim(["shop"], True, False), False, "SharedResource"),  # it may want it
        (obj("blog"), Claim(["shop"], True, True), False, ""),  # it does not: handed on
        (obj("blog"), Claim(["wiki", "shop"], True, True), False, "SharedResource"),
        (obj("gone"), Claim(["shop"]), False, "AdoptionRefused"),
        (obj("gone"), Claim(["shop"]), True, ""),
        (obj(), Claim(["shop"]), False, "AdoptionRefused"),
        (obj(), Claim(["shop"]), True, ""),
        (obj(**{"reconciler.dev/adopt": "true"}), Claim(["shop"]), False, ""),
        (obj(manager="reconciler:shop"), Claim(["shop"]), False, ""),  # only the mark was taken away
    ],
)  # fmt: skip
def test_refusals(live: Object | None, claim: Claim, adopt: bool, condition: str) -> None:
    found = refusal("shop", KEY, obj(), live, claim, adopt=adopt)
    assert (found.condition if found else "") == condition


def test_a_conflict_names_both_and_a_refused_adoption_says_how() -> None:
    shared = refusal("shop", KEY, obj(), obj("blog"), Claim([], True), adopt=False)
    assert shared is not None
    assert "shop" in shared.message
    assert "blog" in shared.message
    refused = refusal("shop", KEY, obj(), obj(), Claim(["shop"]), adopt=False)
    assert refused is not None
    assert "reconciler.dev/adopt" in refused.message
    assert "--adopt" in refused.message


def test_the_manifest_may_ask_for_adoption_and_namespaces_are_common_ground() -> None:
    wanted = obj(**{"reconciler.dev/adopt": "true"})
    assert refusal("shop", KEY, wanted, obj(), Claim(["shop"]), adopt=False) is None
    space = Key("", "Namespace", "", "x")
    assert refusal("shop", space, obj(), obj(), Claim(["shop"]), adopt=False) is None
