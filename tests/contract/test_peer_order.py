"""The order of a sync over the cases of Argo CD, cli-utils and kapp.

The cases lie beside the checkout (``../shared/peer``); without them the test says so and skips. Where we differ, the table
says why.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.api.objects import Key, Object
from reconciler.gitops.hooks import hook_of
from reconciler.gitops.plan import Change, Need, Plan, place_of, plan, wave_of
from reconciler.gitops.plan.depends_on import cli_utils_key

PEER = Path(__file__).parents[3] / "shared" / "peer"

pytestmark = pytest.mark.skipif(
    not PEER.is_dir(), reason="the cases of other projects are not here"
)


def read(name: str) -> dict[str, Any]:
    file = PEER / f"{name}.json"
    found: dict[str, Any] = (
        json.loads(file.read_text()) if file.exists() else {"cases": [], "kind_order": []}
    )
    return found


def cases(name: str, *types: str) -> list[dict[str, Any]]:
    return [c for c in read(name)["cases"] if c["type"] in types]


def create(obj: Object) -> Change:
    return Change("hook" if hook_of(obj) is not None else "create", Key.of(obj), obj)


def prune(obj: Object) -> Change:
    return Change("prune", Key.of(obj), None, live=obj)


# -- Argo CD -------------------------------------------------------------------------------------------------------------


def test_argo_order_of_kinds() -> None:
    """Lists are no objects here, and PodSecurityPolicy is gone since Kubernetes 1.25; the rest is in Argo CD's order."""
    wanted = [
        k
        for k in read("argo_order")["kind_order"]
        if not k.endswith("List") and k != "PodSecurityPolicy"
    ]
    assert sorted(wanted, key=place_of) == wanted


@pytest.mark.parametrize(
    "case", cases("argo_order", "hook"), ids=lambda c: f"{c['name']}-{c['annotations']}"
)
def test_argo_hooks(case: dict[str, Any]) -> None:
    expected = case["expected"]
    hook = hook_of({"metadata": {"annotations": case["annotations"]}})
    if expected.get("is_hook") is not None:
        assert (hook is not None) == expected["is_hook"]
    assert [str(p) for p in (hook.phases if hook else ())] == expected["types"]


@pytest.mark.parametrize(
    "case", cases("argo_order", "phases"), ids=lambda c: f"{c['name']}-{c['annotations']}"
)
def test_argo_phases(case: dict[str, Any]) -> None:
    hook = hook_of({"metadata": {"annotations": case["annotations"]}})
    assert [str(p) for p in (hook.phases if hook else ("Sync",))] == case["expected_phases_set"]


@pytest.mark.parametrize(
    "case", cases("argo_order", "delete_policy"), ids=lambda c: str(c["annotations"])
)
def test_argo_delete_policies(case: dict[str, Any]) -> None:
    annotations = {"argocd.argoproj.io/hook": "PreSync", **case["annotations"]}
    hook = hook_of({"metadata": {"annotations": annotations}})
    assert hook is not None
    assert sorted(hook.policies) == sorted(case["expected"])


def _task(task: dict[str, Any]) -> tuple[str, Object]:
    """Return a case's name of a task, and its object: one in another phase than Sync is a hook of that phase here."""
    obj = json.loads(json.dumps(task["object"]))
    meta = obj.setdefault("metadata", {})
    meta.setdefault("name", task["id"])
    if obj["kind"] == "Namespace":
        meta.pop("namespace", None)
    phase = task["phase"]
    if phase != "Sync":
        meta.setdefault("annotations", {})["argocd.argoproj.io/hook"] = phase
    return task["id"], obj


@pytest.mark.parametrize("case", cases("argo_order", "sort"), ids=lambda c: c["name"])
def test_argo_sort(case: dict[str, Any]) -> None:
    tasks = dict(_task(t) for t in case["input"])
    found = plan(create(o) for o in tasks.values())
    by_object = {id(o): name for name, o in tasks.items()}
    order = [by_object[id(c.object)] for c in found.changes]
    if case["expected_waves"]:
        stages = {by_object[id(n.change.object)]: n.stage for n in found.nodes if n.change}
        assert {n: stages[n].wave for n in case["expected_waves"]} == case["expected_waves"]
        phases = {"PreSync": 0, "Sync": 1, "PostSync": 3}
        expected = {n: phases[p] for n, p in (case["expected_phases"] or {}).items()}
        assert {n: int(stages[n].phase) for n in expected} == expected
        # Argo CD moves one Namespace at a time before its first; here both come first, which holds the same rule.
        for name in case["expected_waves"]:
            spaces = tasks[name]["metadata"]["name"]
            inside = [n for n, o in tasks.items() if o["metadata"].get("namespace") == spaces]
            assert all(order.index(name) < order.index(n) for n in inside)
        return
    ranks = {n: (place_of(tasks[n]["kind"]), wave_of(tasks[n])) for n in order}
    if sorted(order) == sorted(case["expected_order"]):
        # Of equals, Argo CD sorts by name only; the sequence of phase, wave and kind is the same.
        assert [ranks[n] for n in order] == [ranks[n] for n in case["expected_order"]]


@pytest.mark.parametrize("case", cases("argo_order", "prune_wave"), ids=lambda c: c["name"])
def test_argo_prunes_go_the_other_way_round(case: dict[str, Any]) -> None:
    """Argo CD swaps the waves of what it prunes; only their order counts, and that prunes may stand before later waves.

    Here they come after everything else, so ``PruneLast`` is how it always is.
    """

    def obj(r: dict[str, Any]) -> Object:
        annotations = {"argocd.argoproj.io/sync-wave": str(r["wave"])}
        return {
            "apiVersion": "v1",
            "kind": r["kind"],
            "metadata": {"name": r["name"], "annotations": annotations},
        }

    found = plan(prune(obj(r)) if r["prune"] else create(obj(r)) for r in case["resources"])
    order = [c.key.name for c in found.changes]
    pruned = [r for r in case["resources"] if r["prune"]]
    for first in pruned:
        for second in pruned:
            options = [str(r.get("sync_options") or "") for r in (first, second)]
            if options[0] != options[1]:
                continue
            if case["expected_wave"][first["name"]] < case["expected_wave"][second["name"]]:
                assert order.index(first["name"]) < order.index(second["name"])
    kept = [r["name"] for r in case["resources"] if not r["prune"]]
    assert all(order.index(k) < order.index(p["name"]) for k in kept for p in pruned)


# -- cli-utils -----------------------------------------------------------------------------------------------------------


def _levels(found: Plan, *, need: tuple[Need, ...]) -> list[list[str]]:
    """Return the sets that hard edges alone leave: each as early as what it comes after allows."""
    level: dict[int, int] = {}
    hard = [
        e
        for e in found.edges
        if e.need in need and found.nodes[e.before].change and found.nodes[e.after].change
    ]
    for index, node in enumerate(found.nodes):
        if node.change is not None:
            level[index] = max((level[e.before] + 1 for e in hard if e.after == index), default=0)
    result: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for index, at in level.items():
        change = found.nodes[index].change
        assert change is not None
        result[at].append(change.key.name)
    return [sorted(names) for names in result]


@pytest.mark.parametrize("case", cases("cliutils_order", "sort_objs"), ids=lambda c: c["name"])
def test_cli_utils_sets(case: dict[str, Any]) -> None:
    found = plan(create(o) for o in case["objects"])
    if case["is_error"]:
        assert found.problems
        return
    expected = [sorted(o["name"] for o in s) for s in case["expected_sets"]]
    assert _levels(found, need=(Need.RECONCILED, Need.HEALTHY)) == expected


@pytest.mark.parametrize(
    "case", cases("cliutils_order", "reverse_sort_objs"), ids=lambda c: c["name"]
)
def test_cli_utils_sets_of_deletions(case: dict[str, Any]) -> None:
    found = plan(prune(o) for o in case["objects"])
    expected = [sorted(o["name"] for o in s) for s in case["expected_sets"]]
    assert _levels(found, need=(Need.GONE,)) == expected


@pytest.mark.parametrize("case", cases("cliutils_order", "graph_sort"), ids=lambda c: c["name"])
def test_cli_utils_graph(case: dict[str, Any]) -> None:
    after: dict[str, list[str]] = {v: [] for v in case["vertices"]}
    for first, second in case["edges_from_depends_on_to"]:
        after.setdefault(first, []).append(second)

    def obj(name: str) -> Object:
        needs = ",".join(f"v1/Secret/x/{n}" for n in after.get(name, ()))
        annotations = {"reconciler.dev/depends-on": needs} if needs else {}
        meta = {"name": name, "namespace": "x", "annotations": annotations}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta}

    names = dict.fromkeys(
        [*case["vertices"], *(n for e in case["edges_from_depends_on_to"] for n in e)]
    )
    found = plan(create(obj(n)) for n in names)
    if case["is_error"]:
        assert found.cycle
        return
    assert _levels(found, need=(Need.RECONCILED,)) == [sorted(s) for s in case["expected_sets"]]


@pytest.mark.parametrize(
    "case", [c for c in cases("cliutils_order", "parse_depends_on") if not c["single"]],
    ids=lambda c: c["name"],
)  # fmt: skip
def test_cli_utils_depends_on(case: dict[str, Any]) -> None:
    parts = [cli_utils_key(t.strip()) for t in case["annotation"].strip().split(",")]
    if case["is_error"]:
        assert None in parts
        return
    assert {tuple(p) for p in parts if p} == {
        (e["group"], e["kind"], e["namespace"], e["name"]) for e in case["expected"]
    }


# -- kapp ----------------------------------------------------------------------------------------------------------------

_RBAC = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
#: kapp's groups: everything that Pods need comes before everything else in a namespace.
_BEFORE_PODS = (
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    *_RBAC,
)


def _kapp_objects() -> list[Object]:
    file = PEER / "kapp_cf_for_k8s.json"
    if not file.exists():
        pytest.skip("the cases of other projects are not here")
    found: list[Object] = json.loads(file.read_text())["resources"]
    return found


def test_kapp_cf_for_k8s_keeps_kapps_rules() -> None:
    """246 real objects: what kapp's default rules ask for holds in our order, too (its stages are one order of many)."""
    objects = _kapp_objects()
    found = plan(create(o) for o in objects)
    assert not found.problems
    at = {c.key: i for i, c in enumerate(found.changes)}
    assert len(at) == len({Key.of(o) for o in objects})
    types = {(o["spec"]["group"], o["spec"]["names"]["kind"]): Key.of(o)
             for o in objects if o["kind"] == "CustomResourceDefinition"}  # fmt: skip
    checked = 0
    for key, place in at.items():
        before = [types.get((key.group, key.kind)), Key("", "Namespace", "", key.namespace)]
        for first in before:
            if first in at:
                assert at[first] < place
                checked += 1
        if key.kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "Service", "Ingress"):
            later = [k for k, i in at.items() if i > place and k.kind in _BEFORE_PODS]
            assert later == []
            checked += 1
    assert checked > 200
    assert len(found.edges) < 6 * len(objects)


def test_kapp_cf_for_k8s_goes_the_other_way_round() -> None:
    found = plan(prune(o) for o in _kapp_objects())
    at = {c.key: i for i, c in enumerate(found.changes)}
    for key, place in at.items():
        space = Key("", "Namespace", "", key.namespace)
        if space in at:
            assert place < at[space]


def _by_depends_on(objects: list[Object]) -> list[Object]:
    """Say in depends-on what kapp's annotations (which we do not read) say of creation."""
    groups: dict[str, list[str]] = {}
    rules: list[tuple[str, str, str]] = []
    for obj in objects:
        name = obj["metadata"]["name"]
        for key, text in (obj["metadata"].get("annotations") or {}).items():
            if key.startswith("kapp.k14s.io/change-group"):
                groups.setdefault(text, []).append(f"{obj['kind']}/{name}")
            elif key.startswith("kapp.k14s.io/change-rule"):
                rules.append(
                    (f"{obj['kind']}/{name}", *text.split(" upserting "))
                    if " upserting " in text
                    else ("", "", "")
                )
    after: dict[str, set[str]] = {}
    for who, when, group in rules:
        for other in groups.get(group, ()):
            first, second = (other, who) if when == "upsert after" else (who, other)
            after.setdefault(second, set()).add(first)
    result = []
    for obj in objects:
        needs = sorted(after.get(f"{obj['kind']}/{obj['metadata']['name']}", ()))
        annotations = (
            {"config.kubernetes.io/depends-on": ",".join(f"/{n}" for n in needs)} if needs else {}
        )
        meta = {"name": obj["metadata"]["name"], "annotations": annotations}
        result.append(
            {"apiVersion": obj.get("apiVersion", "v1"), "kind": obj["kind"], "metadata": meta}
        )
    return result


@pytest.mark.parametrize(
    "case", [c for c in cases("kapp", "change_graph") if not c["default_config"] and not c.get("extra_config")
             and c["op"] == "upsert"],
    ids=lambda c: c["name"],
)  # fmt: skip
def test_kapp_graphs(case: dict[str, Any]) -> None:
    """kapp's rules written as dependencies: the same circles are found, the same orders are possible."""
    objects = _by_depends_on(case["resources"])
    found = plan(create(o) for o in objects)
    assert bool(found.cycle) == bool(case.get("expected_error"))
    if not found.cycle:
        at = {f"{c.key.kind}/{c.key.name}": i for i, c in enumerate(found.changes)}
        for obj in objects:
            needs = obj["metadata"]["annotations"].get("config.kubernetes.io/depends-on", "")
            me = f"{obj['kind']}/{obj['metadata']['name']}"
            assert all(at[n[1:]] < at[me] for n in needs.split(",") if n)


@pytest.mark.parametrize(
    "case", [c for c in cases("kapp", "change_graph") if c["default_config"]],
    ids=lambda c: f"{c['name']}-{c['op']}",
)  # fmt: skip
def test_kapp_default_rules(case: dict[str, Any]) -> None:
    """What lives in a Namespace comes after it, and goes before it; bindings come after roles."""
    deletes = case["op"] == "delete"
    found = plan((prune if deletes else create)(o) for o in case["resources"])
    assert not found.problems
    at = {c.key: i for i, c in enumerate(found.changes)}
    for key, place in at.items():
        space = Key("", "Namespace", "", key.namespace)
        if space in at:
            assert (place < at[space]) == deletes
        if key.kind.endswith("Binding") and not deletes:
            assert all(i < place for k, i in at.items() if k.kind in ("Role", "ClusterRole"))
