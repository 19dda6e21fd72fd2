"""What an API server fills in, keeps and refuses, kind by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.errors import Forbidden, Invalid
from tests.unit.controllers.snapshot import workload

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.registry import Registry


def _service(**spec: Any) -> Object:
    body = {"ports": [{"port": 80}], **spec}
    about = {"name": "web", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": body}


async def test_what_a_deployment_is_given(registry: Registry) -> None:
    """DP01, R01."""
    obj = workload("Deployment", 1)
    del obj["spec"]["replicas"]
    spec = (await registry.create(obj))["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (1, 10)
    assert spec["progressDeadlineSeconds"] == 600
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}, "may not be 0 when"),
        ({"minReadySeconds": 60, "progressDeadlineSeconds": 60}, "must be greater than minReadySeconds"),
        ({"selector": {"matchLabels": {"app": "other"}}}, "`selector` does not match template `labels`"),
    ],
)  # fmt: skip
async def test_what_no_deployment_may_say(registry: Registry, spec: Any, told: str) -> None:
    """DP04, DP27, DP31."""
    with pytest.raises(Invalid, match=told):
        await registry.create(workload("Deployment", 1, **spec))


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "DaemonSet"])
async def test_a_selector_stays(registry: Registry, kind: str) -> None:
    """R11, DP31."""
    obj = workload(kind, 1)
    if kind == "DaemonSet":
        del obj["spec"]["replicas"]
    made = await registry.create(obj)
    labels = {"app": "web", "more": "x"}
    template = {**made["spec"]["template"], "metadata": {"labels": labels}}
    spec = {**made["spec"], "selector": {"matchLabels": labels}, "template": template}
    with pytest.raises(Invalid, match="field is immutable"):
        await registry.update({**made, "spec": spec})


async def test_what_a_stateful_set_is_given_and_may_change(registry: Registry) -> None:
    """SS01, SS02, SS24."""
    made = await registry.create(workload("StatefulSet", 1, serviceName="db"))
    spec = made["spec"]
    assert spec["podManagementPolicy"] == "OrderedReady"
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    kept = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert spec["persistentVolumeClaimRetentionPolicy"] == kept
    assert spec["revisionHistoryLimit"] == 10
    with pytest.raises(Invalid, match="updates to statefulset spec for fields other than"):
        await registry.update({**made, "spec": {**spec, "serviceName": "other"}})
    allowed = {"replicas": 3, "ordinals": {"start": 2}, "minReadySeconds": 5}
    await registry.update({**made, "spec": {**spec, **allowed}})


async def test_what_a_service_is_given(registry: Registry) -> None:
    """S01, S02."""
    spec = (await registry.create(_service()))["spec"]
    assert (spec["type"], spec["sessionAffinity"]) == ("ClusterIP", "None")
    assert spec["ports"] == [{"port": 80, "targetPort": 80, "protocol": "TCP"}]
    assert (spec["internalTrafficPolicy"], spec["ipFamilyPolicy"]) == ("Cluster", "SingleStack")
    assert spec["clusterIP"] == spec["clusterIPs"][0]


async def test_an_address_is_kept_for_life(registry: Registry) -> None:
    """S02, S03: taken or foreign ones are refused, another one is no change."""
    made = await registry.create(_service())
    address = made["spec"]["clusterIP"]
    after = await registry.update({**made, "spec": {"ports": [{"port": 81}]}})
    assert after["spec"]["clusterIP"] == address
    with pytest.raises(Invalid, match="may not change once set"):
        await registry.patch(kinds.SERVICE, "web", "default", {"spec": {"clusterIP": "10.99.0.9"}})
    for taken, told in ((address, "already allocated"), ("192.0.2.1", "not in the valid range")):
        other = _service(clusterIP=taken)
        other["metadata"]["name"] = "other"
        with pytest.raises(Invalid, match=told):
            await registry.create(other)
    headless = _service(clusterIP="None")
    headless["metadata"]["name"] = "headless"
    assert (await registry.create(headless))["spec"]["clusterIP"] == "None"


async def test_node_ports_come_and_go_with_the_type(registry: Registry) -> None:
    """S04, S05: one number may serve TCP and UDP."""
    ports = [
        {"name": "t", "port": 53, "protocol": "TCP"},
        {"name": "u", "port": 53, "protocol": "UDP"},
    ]
    made = await registry.create(_service(type="NodePort", ports=ports))
    numbers = [p["nodePort"] for p in made["spec"]["ports"]]
    assert all(30_000 <= n <= 32_767 for n in numbers)
    assert made["spec"]["externalTrafficPolicy"] == "Cluster"

    async def become(type_: str, **spec: Any) -> dict[str, Any]:
        patch = {"spec": {"type": type_, "externalTrafficPolicy": None, **spec}}
        found = await registry.patch(kinds.SERVICE, "web", "default", patch)
        return dict(found["spec"])

    bare = [{"name": p["name"], "port": 53, "protocol": p["protocol"]} for p in ports]
    spec = await become("ClusterIP", ports=bare)
    assert not any("nodePort" in p for p in spec["ports"])
    assert spec["clusterIP"] == made["spec"]["clusterIP"]
    spec = await become("ExternalName", externalName="example.com", clusterIP=None, clusterIPs=None)
    assert "clusterIP" not in spec
    spec = await become("ClusterIP", externalName=None)
    assert spec["clusterIP"]


async def test_several_ports_have_names(registry: Registry) -> None:
    """S06."""
    with pytest.raises(Invalid, match="name"):
        await registry.create(_service(ports=[{"port": 80}, {"port": 81}]))
    twice = [{"name": "a", "port": 80}, {"name": "a", "port": 81}]
    with pytest.raises(Invalid, match="Duplicate"):
        await registry.create(_service(ports=twice))


def _data(kind: str, **body: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "c", "namespace": "default"},
        **body,
    }


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"": "x"}},
        {"data": {"a/b": "x"}},
        {"data": {"a": "x"}, "binaryData": {"a": "eA=="}},
        {"data": {"a": "x" * ((1 << 20) + 1)}},
    ],
)
async def test_what_no_config_map_holds(registry: Registry, body: dict[str, Any]) -> None:
    """C01, C02."""
    with pytest.raises(Invalid):
        await registry.create(_data("ConfigMap", **body))


async def test_data_is_listed_patched_and_deleted_by_label(registry: Registry) -> None:
    """C06: as any kind."""
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        obj = _data("ConfigMap")
        obj["metadata"] |= {"name": name, "labels": {"is": label}}
        await registry.create(obj)
    found = (await registry.list(kinds.CONFIG_MAP, labels="is=x")).items
    assert [obj["metadata"]["name"] for obj in found] == ["a", "b"]
    patch = {"data": {"k": "v"}}
    assert (await registry.patch(kinds.CONFIG_MAP, "a", "default", patch))["data"] == {"k": "v"}
    for obj in found:
        await registry.delete(kinds.CONFIG_MAP, obj["metadata"]["name"], "default")
    left = (await registry.list(kinds.CONFIG_MAP)).items
    assert [obj["metadata"]["name"] for obj in left] == ["c"]


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
async def test_what_is_immutable_stays(registry: Registry, kind: str) -> None:
    """C03: its metadata may change, and it can be deleted."""
    made = await registry.create(_data(kind, data={"a": "eA=="}, immutable=True))
    for change in ({"data": {"a": "eQ=="}}, {"immutable": False}):
        with pytest.raises(Invalid, match="immutable"):
            await registry.update({**made, **change})
    found = kinds.CONFIG_MAP if kind == "ConfigMap" else kinds.SECRET
    await registry.patch(found, "c", "default", {"metadata": {"labels": {"a": "b"}}})
    await registry.delete(found, "c", "default")


async def test_plain_text_of_a_secret_is_encoded(registry: Registry) -> None:
    """C04, C05: it wins, is never returned, and the type stays."""
    made = await registry.create(
        _data("Secret", data={"a": "eA=="}, stringData={"a": "y", "b": "z"})
    )
    assert made["data"] == {"a": "eQ==", "b": "eg=="}
    assert "stringData" not in made
    assert made["type"] == "Opaque"
    with pytest.raises(Invalid, match="type"):
        await registry.update({**made, "type": "example.com/other"})
    bad = _data("Secret", type="kubernetes.io/tls", data={"tls.key": ""})
    bad["metadata"]["name"] = "tls"
    with pytest.raises(Invalid, match=r"tls\.crt"):
        await registry.create(bad)


def _claim(size: str = "1Gi", **spec: Any) -> Object:
    resources = {"requests": {"storage": size}}
    body = {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec}
    return _data("PersistentVolumeClaim", spec=body)


async def test_what_volumes_and_claims_are_given(registry: Registry) -> None:
    """V01, V10."""
    made = await registry.create(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "s",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "x",
        }
    )
    assert (made["reclaimPolicy"], made["volumeBindingMode"]) == ("Delete", "Immediate")
    claim = await registry.create(_claim())
    assert claim["status"]["phase"] == "Pending"
    assert (claim["spec"]["volumeMode"], claim["spec"]["storageClassName"]) == ("Filesystem", "s")
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "v"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/x"},
        },
    }
    made = await registry.create(volume)
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert made["spec"]["volumeMode"] == "Filesystem"
    with pytest.raises(Invalid, match="persistentvolumesource is immutable after creation"):
        await registry.patch(
            kinds.PERSISTENT_VOLUME, "v", "", {"spec": {"hostPath": {"path": "/y"}}}
        )


async def test_what_of_a_claim_may_change(registry: Registry) -> None:
    """V19, V20, V21: more room only where the class allows it."""
    for name, grows in (("grows", True), ("stays", False)):
        await registry.create(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": name},
                "provisioner": "x",
                "allowVolumeExpansion": grows,
            }
        )
        claim = _claim(storageClassName=name, volumeName="v")
        claim["metadata"]["name"] = name
        made = await registry.create(claim)
        status = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
        await registry.update({**made, "status": status}, subresource="status")
        more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        where = kinds.PERSISTENT_VOLUME_CLAIM, name, "default"
        if grows:
            await registry.patch(*where, more)
        else:
            with pytest.raises(Forbidden, match="must support resize"):
                await registry.patch(*where, more)
        for refused in (
            {"accessModes": ["ReadOnlyMany"]},
            {"volumeName": "w"},
            {"resources": {"requests": {"storage": "1Mi"}}},
        ):
            with pytest.raises(Invalid):
                await registry.patch(*where, {"spec": refused})


def _ingress(path: dict[str, Any], **spec: Any) -> Object:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "a.example", "http": {"paths": [{"backend": backend, **path}]}}
    about = {"name": "i", "namespace": "default"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": about,
        "spec": {"rules": [rule], **spec},
    }


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ({"path": "/a", "pathType": "Prefix"}, True),
        ({"path": "/a", "pathType": "Exact"}, True),
        ({"pathType": "ImplementationSpecific"}, True),
        ({"path": "/a"}, False),
        ({"path": "/a", "pathType": "Regex"}, False),
        ({"path": "a", "pathType": "Prefix"}, False),
        *(
            ({"path": path, "pathType": "Exact"}, False)
            for path in ("/a//b", "/a/./b", "/a/../b", "/a%2fb", "/a%2Fb", "/a/..", "/a/.")
        ),
        ({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web"}}}, False),
    ],
)
async def test_paths_of_an_ingress(registry: Registry, path: dict[str, Any], good: bool) -> None:
    """I01, I02, I08, I11: a Service that is not there is no reason to refuse."""
    if good:
        await registry.create(_ingress(path))
    else:
        with pytest.raises(Invalid):
            await registry.create(_ingress(path))


async def test_the_default_class_of_an_ingress(registry: Registry) -> None:
    """I12: the newest of several; the old annotation blocks it."""
    path = {"path": "/", "pathType": "Prefix"}
    for name in ("a", "b"):
        annotations = {"ingressclass.kubernetes.io/is-default-class": "true"}
        await registry.create(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "IngressClass",
                "metadata": {"name": name, "annotations": annotations},
                "spec": {"controller": "example.com/x"},
            }
        )
    assert (await registry.create(_ingress(path)))["spec"]["ingressClassName"] == "b"
    named = _ingress(path)
    named["metadata"] |= {"name": "j", "annotations": {"kubernetes.io/ingress.class": "a"}}
    assert "ingressClassName" not in (await registry.create(named))["spec"]
