"""Laws of plans and diffs, over whatever hypothesis thinks of."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.api.objects import Key, Object, copy
from reconciler.cli.plan.markdown import markdown
from reconciler.gitops.diff import diff
from reconciler.gitops.plan import Change, Phase, plan
from reconciler.gitops.plan.rendered import changes_between

some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

KINDS = {
    "Namespace": "v1", "ConfigMap": "v1", "Secret": "v1", "Service": "v1", "PersistentVolumeClaim": "v1",
    "Deployment": "apps/v1", "StatefulSet": "apps/v1", "Job": "batch/v1", "Ingress": "networking.k8s.io/v1",
}  # fmt: skip
NAMES = ("a", "b", "c", "d")
HOOKS = ("PreSync", "Sync", "PostSync", "SyncFail", "PreSync,PostSync", "Skip")


@st.composite
def objects(draw: st.DrawFn) -> Object:
    kind = draw(st.sampled_from(sorted(KINDS)))
    annotations: dict[str, str] = {}
    if draw(st.booleans()):
        annotations["reconciler.dev/sync-wave"] = str(draw(st.integers(-2, 2)))
    if draw(st.integers(0, 3)) == 0:
        other, name = draw(st.sampled_from(sorted(KINDS))), draw(st.sampled_from(NAMES))
        where = "" if other == "Namespace" else "a/"
        annotations["reconciler.dev/depends-on"] = f"{KINDS[other]}/{other}/{where}{name}"
    if kind == "Job" and draw(st.booleans()):
        annotations["reconciler.dev/hook"] = draw(st.sampled_from(HOOKS))
    meta: dict[str, Any] = {"name": draw(st.sampled_from(NAMES)), "annotations": annotations}
    if kind != "Namespace":
        meta["namespace"] = draw(st.sampled_from(("a", "b")))
    obj: Object = {"apiVersion": KINDS[kind], "kind": kind, "metadata": meta}
    if kind in ("Deployment", "StatefulSet", "Job"):
        volumes = [
            {"name": n, "secret": {"secretName": n}} for n in draw(st.sets(st.sampled_from(NAMES)))
        ]
        obj["spec"] = {"template": {"spec": {"volumes": volumes, "containers": []}}}
    return obj


def _change(obj: Object, action: str) -> Change:
    if "reconciler.dev/hook" in obj["metadata"]["annotations"]:
        return Change("hook", Key.of(obj), obj)
    return Change(action, Key.of(obj), None if action == "prune" else obj, live=obj)


ACTIONS = st.sampled_from(("create", "update", "unchanged", "prune"))
CHANGES = st.lists(st.tuples(objects(), ACTIONS), max_size=25, unique_by=lambda p: Key.of(p[0]))


@some
@given(CHANGES)
def test_the_order_respects_every_edge(drawn: list[tuple[Object, str]]) -> None:
    changes = [_change(*d) for d in drawn]
    found = plan(changes)
    if found.problems:
        # There is a circle, and it is one.
        assert found.cycle[0] == found.cycle[-1]
        assert set(found.cycle) <= {c.key for c in changes}
        return
    assert all(e.before < e.after for e in found.edges)
    # Nothing is lost; a hook of two phases runs twice, one without any never.
    kept = [c for c in changes if c.action != "hook"]
    assert sorted(c.key for c in found.changes if c.action != "hook") == sorted(c.key for c in kept)
    stages = [n.stage for n in found.nodes if n.external is None]
    assert stages == sorted(stages)
    assert all(
        (n.change.action == "prune") == (n.stage.phase is Phase.PRUNE)
        for n in found.nodes
        if n.change
    )


@some
@given(CHANGES, st.randoms(use_true_random=False))
def test_the_same_changes_give_the_same_plan_in_whatever_order_they_come(
    drawn: list[tuple[Object, str]], random: Any
) -> None:
    changes = [_change(*d) for d in drawn]
    found = plan(changes)
    random.shuffle(changes)
    again = plan(changes)
    if found.problems:
        assert [p.message for p in again.problems] == [p.message for p in found.problems]
    else:
        assert again.to_json() == found.to_json()


@some
@given(st.lists(st.tuples(objects(), ACTIONS), max_size=60, unique_by=lambda p: Key.of(p[0])))
def test_edges_grow_with_the_changes_and_not_with_their_square(
    drawn: list[tuple[Object, str]],
) -> None:
    changes = [_change(*d) for d in drawn]
    found = plan(changes)
    references = sum(
        len(((o.get("spec") or {}).get("template") or {}).get("spec", {}).get("volumes", ()))
        for o, _ in drawn
    )
    assert len(found.edges) <= 7 * len(changes) + references


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@some
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_what_is_equal_does_not_differ(spec: dict[str, Any]) -> None:
    obj: Object = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "a"},
        "spec": spec,
    }
    assert diff(obj, copy(obj)) == ()
    key = Key.of(obj)
    assert [c.action for c in changes_between({key: obj}, {key: copy(obj)}, mask=b"k")] == [
        "unchanged"
    ]


@some
@given(
    st.dictionaries(st.sampled_from("abc"), st.text(max_size=6)),
    st.dictionaries(st.sampled_from("abc"), st.text(max_size=6)),
    st.sampled_from(("data", "stringData")),
)
def test_masks_are_equal_when_and_only_when_values_are(
    before: dict[str, str], after: dict[str, str], field: str
) -> None:
    def secret(data: dict[str, str]) -> Object:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, field: data}

    found = {f.path: f for f in diff(secret(before), secret(after), mask=b"k")}
    changed = {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
    assert {p.rpartition(".")[2] for p in found} == changed or not changed
    shown = {
        (k, v) for f in found.values() for k, v in ((f.before, 0), (f.after, 1)) if k is not None
    }
    assert all(str(text).startswith("<secret ") for text, _ in shown)
    seen: dict[str, str] = {}
    for name in changed:
        for side, given_ in ((0, before), (1, after)):
            if name in given_:
                one = found[f"{field}.{name}"]
                mask = one.after if side else one.before
                assert seen.setdefault(given_[name], mask) == mask
    assert len(set(seen.values())) == len(seen)


@some
@given(CHANGES, st.text(max_size=40), st.integers(1_000, 5_000))
def test_a_comment_never_grows_beyond_its_room_and_no_value_ends_its_code_block(
    drawn: list[tuple[Object, str]], text: str, longest: int
) -> None:
    old: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"a": "```\n", "b": text},
    }
    new = {**old, "data": {"a": "```\n<script>\n````", "b": text + "\n``` "}}
    changes = changes_between({Key.of(old): old}, {Key.of(new): new}, mask=b"k")
    told = markdown(plan([*changes, *(_change(*d) for d in drawn)]).to_json(), longest)
    assert len(told) <= longest
    for folded in told.split("<details>")[1:]:
        fence = folded.split("\n\n", 1)[1].split("diff\n", 1)[0]
        body = folded.split("diff\n", 1)[1].split(f"\n{fence}\n\n</details>")[0]
        assert fence not in body
