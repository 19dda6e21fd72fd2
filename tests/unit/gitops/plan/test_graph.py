"""The order of a sync: what comes before what, why, and what is said where it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.api.objects import Key, Object
from reconciler.gitops.plan import Change, Need, Phase, Plan, plan
from reconciler.gitops.plan.depends_on import BadDependency, depends_on


def obj(
    kind: str, name: str, version: str = "v1", namespace: str = "default", **rest: Any
) -> Object:
    annotations = rest.pop("annotations", {})
    meta: dict[str, Any] = {"name": name, "annotations": annotations}
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": meta, **rest}


def create(made: Object) -> Change:
    return Change("create", Key.of(made), made, cause="it does not exist")


def workload(name: str, **pod: Any) -> Object:
    spec = {"template": {"spec": {"containers": [{"name": "app", "image": "app:1"}], **pod}}}
    return obj("Deployment", name, "apps/v1", spec=spec)


def names(found: Plan) -> list[str]:
    return [c.key.name for c in found.changes]


def reaches(found: Plan, before: str, after: str) -> bool:
    """Whether the edges lead from one object to another."""
    at = {n.change.key.name: i for i, n in enumerate(found.nodes) if n.change is not None}
    left, seen = [at[before]], set()
    while left:
        index = left.pop()
        if index == at[after]:
            return True
        if index not in seen:
            seen.add(index)
            left += [e.after for e in found.edges if e.before == index]
    return False


def edge(found: Plan, before: str, after: str) -> tuple[str, Need] | None:
    """Return the reason and need of the edge straight from one object to another."""
    for e in found.edges:
        ends = (found.nodes[e.before].change, found.nodes[e.after].change)
        if all(ends) and (ends[0].key.name, ends[1].key.name) == (before, after):  # type: ignore[union-attr]
            return e.reason, e.need
    return None


def test_what_a_pod_uses_comes_before_it_and_the_edge_says_so() -> None:
    pod = {
        "serviceAccountName": "account",
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [
            {"name": "a", "persistentVolumeClaim": {"claimName": "disk"}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "projected"}}]}},
            {"name": "c", "secret": {"secretName": "mounted"}},
        ],
        "containers": [
            {
                "name": "app",
                "envFrom": [{"configMapRef": {"name": "env"}}],
                "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "key", "key": "x"}}}],
            }
        ],
    }
    used = {
        "account": "ServiceAccount", "pull": "Secret", "disk": "PersistentVolumeClaim",
        "projected": "ConfigMap", "mounted": "Secret", "env": "ConfigMap", "key": "Secret",
    }  # fmt: skip
    found = plan(create(o) for o in [workload("web", **pod), *(obj(k, n) for n, k in used.items())])
    assert names(found)[-1] == "web"
    for name in used:
        reason, need = edge(found, name, "web") or ("", None)
        assert reason.startswith("its "), name
        assert need is Need.RECONCILED


def test_the_references_of_other_kinds() -> None:
    ingress = obj(
        "Ingress", "front", "networking.k8s.io/v1",
        spec={
            "ingressClassName": "nginx", "tls": [{"secretName": "tls"}],
            "rules": [{"http": {"paths": [{"backend": {"service": {"name": "api"}}}]}}],
        },
    )  # fmt: skip
    scaler = obj(
        "HorizontalPodAutoscaler", "scaler", "autoscaling/v2",
        spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}},
    )  # fmt: skip
    rbac = "rbac.authorization.k8s.io"
    binding = obj(
        "RoleBinding", "bind", f"{rbac}/v1", roleRef={"kind": "Role", "name": "role"},
        subjects=[{"kind": "ServiceAccount", "name": "account"}],
    )  # fmt: skip
    database = obj("StatefulSet", "db", "apps/v1", spec={
        "serviceName": "db-headless", "volumeClaimTemplates": [{"spec": {"storageClassName": "fast"}}],
    })  # fmt: skip
    found = plan(create(o) for o in [
        scaler, ingress, binding, database, obj("Service", "api"), obj("Service", "db-headless"),
        obj("Secret", "tls"), obj("IngressClass", "nginx", "networking.k8s.io/v1", ""),
        obj("Role", "role", f"{rbac}/v1"), obj("ServiceAccount", "account"),
        obj("StorageClass", "fast", "storage.k8s.io/v1", ""),
    ])  # fmt: skip
    pairs = [
        ("api", "front"), ("tls", "front"), ("nginx", "front"), ("db", "scaler"), ("role", "bind"),
        ("account", "bind"), ("db-headless", "db"), ("fast", "db"),
    ]  # fmt: skip
    assert [p for p in pairs if edge(found, *p) is None] == []
    # HorizontalPodAutoscaler's kind comes before StatefulSet's: what it scales wins over the order of kinds.
    assert names(found).index("db") < names(found).index("scaler")


def test_a_namespace_and_a_type_come_before_what_needs_them_whatever_their_wave() -> None:
    late = {"argocd.argoproj.io/sync-wave": "5"}
    crd = obj(
        "CustomResourceDefinition", "crd", "apiextensions.k8s.io/v1", "", annotations=late,
        spec={"group": "example.com", "names": {"kind": "Widget"}},
    )  # fmt: skip
    space = obj("Namespace", "shop", namespace="", annotations=late)
    widget = obj(
        "Widget", "widget", "example.com/v1", "shop", annotations={"reconciler.dev/sync-wave": "-1"}
    )
    found = plan(create(o) for o in [widget, crd, space])
    assert names(found) == ["shop", "crd", "widget"]
    assert {str(n.stage) for n in found.nodes} == {"wave -1"}


def test_waves_meet_in_one_barrier_that_wants_health() -> None:
    objects = [obj("ConfigMap", f"{w}-{i}", annotations={"reconciler.dev/sync-wave": str(w)})
               for w in (1, 0, -1) for i in range(50)]  # fmt: skip
    found = plan(create(o) for o in objects)
    assert [n[:-2].rstrip("-") for n in names(found)[::50]] == ["-1", "0", "1"]
    barriers = [i for i, n in enumerate(found.nodes) if n.change is None]
    assert len(barriers) == 2
    assert all(e.need is Need.HEALTHY for e in found.edges if e.after in barriers)
    assert len(found.edges) == 4 * 50  # and not 50 times 50


def test_the_order_of_kinds_holds_nothing_up_that_waits_for_something_slow() -> None:
    """An object that waits for a rollout is not waited for by kinds that merely come later."""
    after = {"reconciler.dev/depends-on": "apps/v1/Deployment/default/slow"}
    objects = [workload("slow"), obj("ConfigMap", "late", annotations=after),
               workload("other"), obj("Job", "job", "batch/v1")]  # fmt: skip
    found = plan(create(o) for o in objects)
    assert reaches(found, "slow", "late")
    assert reaches(found, "other", "job")
    assert not reaches(found, "late", "job")


def test_depends_on_wins_over_waves() -> None:
    objects = [
        obj("Secret", "b", annotations={"reconciler.dev/sync-wave": "3"}),
        obj("Secret", "a", annotations={"reconciler.dev/depends-on": "v1/Secret/default/b"}),
    ]
    found = plan(create(o) for o in objects)
    assert names(found) == ["b", "a"]
    assert edge(found, "b", "a") == ("depends-on", Need.RECONCILED)


def test_a_dependency_that_somebody_else_keeps_is_waited_for() -> None:
    found = plan(
        [create(obj("Secret", "a", annotations={"reconciler.dev/depends-on": "v1/Secret/else/b"}))]
    )
    assert [n.external for n in found.nodes if n.external] == [Key("", "Secret", "else", "b")]
    assert not found.problems


def test_a_cycle_is_printed_with_its_reasons_and_nothing_is_ordered() -> None:
    needs = {"reconciler.dev/depends-on": "apps/v1/Deployment/default/web"}
    pod = {"volumes": [{"name": "c", "configMap": {"name": "settings"}}]}
    found = plan(create(o) for o in [workload("web", **pod), obj("ConfigMap", "settings", annotations=needs),
                                     workload("behind", **pod)])  # fmt: skip
    assert [k.name for k in found.cycle] == ["settings", "web", "settings"]
    assert [p.message for p in found.problems] == [
        (
            "each of these comes after the next, in a circle: ConfigMap/default/settings → Deployment.apps/default/web "
            "(depends-on) → ConfigMap/default/settings (its Pods read it)"
        )
    ]


def test_an_object_that_depends_on_itself_is_a_cycle() -> None:
    found = plan(
        [
            create(
                obj("Secret", "a", annotations={"reconciler.dev/depends-on": "v1/Secret/default/a"})
            )
        ]
    )
    assert [k.name for k in found.cycle] == ["a", "a"]


def test_prunes_come_last_and_the_other_way_round() -> None:
    def prune(live: Object) -> Change:
        return Change("prune", Key.of(live), None, live=live)

    found = plan([
        prune(obj("Namespace", "old", namespace="")), prune(obj("Secret", "key", namespace="old")),
        prune(workload("gone")), create(obj("Ingress", "new", "networking.k8s.io/v1")),
        prune(obj("ConfigMap", "early", annotations={"reconciler.dev/sync-wave": "-1"})),
        prune(obj("ConfigMap", "late", annotations={"reconciler.dev/sync-wave": "1"})),
    ])  # fmt: skip
    assert names(found) == ["new", "late", "gone", "key", "old", "early"]
    assert edge(found, "key", "old") == ("it lived in it", Need.GONE)
    barrier = next(i for i, n in enumerate(found.nodes) if n.label)
    assert next(e.need for e in found.edges if e.after == barrier) is Need.RECONCILED


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("reconciler.dev", "v1/Secret/default/db", Key("", "Secret", "default", "db")),
        ("reconciler.dev", "v1/Namespace/shop", Key("", "Namespace", "", "shop")),
        ("reconciler.dev", "apps/v1/Deployment/shop/web", Key("apps", "Deployment", "shop", "web")),
        (
            "reconciler.dev",
            "storage.k8s.io/v1/StorageClass/fast",
            Key("storage.k8s.io", "StorageClass", "", "fast"),
        ),
        ("reconciler.dev", "/namespaces/shop/Secret/db", Key("", "Secret", "shop", "db")),
        ("config.kubernetes.io", "/namespaces/shop/Secret/db", Key("", "Secret", "shop", "db")),
        ("config.kubernetes.io", "example.com/Widget/w", Key("example.com", "Widget", "", "w")),
    ],
)
def test_the_forms_of_depends_on(name: str, text: str, key: Key) -> None:
    assert depends_on(obj("Secret", "a", annotations={f"{name}/depends-on": text})) == (key,)


@pytest.mark.parametrize(
    "text",
    ["", "db", "Secret/db", "v1/Secret/default/", "a/b/c/d/e/f", "apps/x1/Deployment/shop/web"],
)
def test_a_depends_on_that_cannot_be_read_is_a_problem_and_not_passed_over(text: str) -> None:
    bad = obj("Secret", "a", annotations={"reconciler.dev/depends-on": text})
    with pytest.raises(BadDependency, match="is not v1/Secret/NAMESPACE/NAME or"):
        depends_on(bad)
    found = plan([create(bad)])
    assert [p.key.name for p in found.problems] == ["a"]


def hook(name: str, when: str, **rest: Any) -> Change:
    annotations = {"argocd.argoproj.io/hook": when, **rest.pop("annotations", {})}
    made = obj("Job", name, "batch/v1", annotations=annotations, **rest)
    return Change("hook", Key.of(made), made, cause=when)


def test_hooks_stand_around_the_sync_and_bring_forward_what_they_need() -> None:
    pod = {
        "template": {
            "spec": {"containers": [{"name": "m", "envFrom": [{"secretRef": {"name": "key"}}]}]}
        }
    }
    found = plan([
        hook("after", "PostSync"), hook("first", "PreSync", annotations={"helm.sh/hook-weight": "-5"}),
        hook("migrate", "PreSync", spec=pod), hook("told", "SyncFail"), hook("skipped", "Skip"),
        create(workload("web")), create(obj("Secret", "key")), create(obj("ConfigMap", "settings")),
    ])  # fmt: skip
    assert names(found) == ["first", "key", "migrate", "settings", "web", "after"]
    assert [n.stage.phase for n in found.nodes if n.change and n.change.key.name == "key"] == [
        Phase.PRE_SYNC
    ]
    assert [c.key.name for c in found.on_failure] == ["told"]
    assert reaches(found, "migrate", "settings")
    assert found.is_empty is False
    assert plan([hook("alone", "PreSync")]).is_empty


def test_to_json_tells_each_change_with_what_it_comes_after() -> None:
    pod = {"volumes": [{"name": "c", "configMap": {"name": "settings"}}]}
    shown = plan(
        create(o) for o in [workload("web", **pod), obj("ConfigMap", "settings")]
    ).to_json()
    assert [c["name"] for c in shown["changes"]] == ["settings", "web"]
    assert shown["changes"][1]["after"] == [
        {"object": "ConfigMap/default/settings", "reason": "its Pods read it", "need": "reconciled"}
    ]
    assert shown["summary"] == {"create": 2, "update": 0, "prune": 0, "unchanged": 0, "hook": 0}
