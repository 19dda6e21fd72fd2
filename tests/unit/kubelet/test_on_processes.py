"""What a Pod's containers are given, and what their end means: as real processes."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.pods import is_ready
from tests.unit.kubelet.node import Node, runs, state, waits

if TYPE_CHECKING:
    from reconciler.api.objects import Object

SLEEP = "trap 'exit 0' TERM; sleep 600 & wait"


def terminated(pod: Object, container: str = "main") -> dict[str, Any]:
    found: dict[str, Any] = state(pod, container)["terminated"]
    return found


async def test_an_image_that_cannot_be_had_is_told(node: Node) -> None:
    """P23, P24, P32: without a command the image decides, and there is none."""
    no_command = {"name": "main", "image": "nginx:1", "command": None, "imagePullPolicy": "Never"}
    await node.run("", container=no_command)
    pod = await node.until(waits("ErrImageNeverPull"))
    assert "nginx:1" in state(pod)["waiting"]["message"]
    assert pod["status"]["phase"] == "Pending"
    assert (await node.event("ErrImageNeverPull"))["type"] == "Warning"
    await node.registry.delete(kinds.POD, "p", "default")
    await node.gone()
    await node.run("", container={"image": "No Such Image"})
    pod = await node.until(waits("InvalidImageName"))
    assert "invalid reference format" in state(pod)["waiting"]["message"]


async def test_a_missing_reference_is_told_and_heals(node: Node) -> None:
    """P25: of the environment and of a volume."""
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    mounts = [{"name": "v", "mountPath": "/tmp/v"}]
    await node.run(
        "echo $A $(cat /tmp/v/file)",
        container={"env": env, "volumeMounts": mounts},
        volumes=volumes,
    )
    failed = await node.event("FailedMount")
    assert 'configmap "c" not found' in failed["message"]
    assert state(await node.until(waits("ContainerCreating")))
    await node.create("v1", "ConfigMap", "c", data={"file": "mounted"})
    pod = await node.until(waits("CreateContainerConfigError"))
    assert 'secret "s" not found' in state(pod)["waiting"]["message"]
    assert pod["status"]["phase"] == "Pending"
    await node.create("v1", "Secret", "s", data={"k": base64.b64encode(b"sealed").decode()})
    pod = await node.finished()
    assert node.output(pod) == ["sealed mounted"]


async def test_a_file_mounted_by_itself_never_changes(node: Node) -> None:
    """P28: through subPath."""
    made = await node.create("v1", "ConfigMap", "c", data={"k": "one"})
    mounts = [
        {"name": "v", "mountPath": "/tmp/whole"},
        {"name": "v", "mountPath": "/tmp/one-file", "subPath": "k"},
    ]
    script = "until grep -q two /tmp/whole/k; do sleep 0.02; done; cat /tmp/one-file"
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    await node.run(script, container={"volumeMounts": mounts}, volumes=volumes)
    await node.until(runs())
    await node.registry.update({**made, "data": {"k": "two"}})
    assert node.output(await node.finished()) == ["one"]


async def test_modes_and_items_of_volumes(node: Node) -> None:
    """P29: of every source, also within a projected volume."""
    await node.create("v1", "ConfigMap", "c", data={"a": "A", "b": "B"})
    await node.create("v1", "Secret", "s", data={"a": base64.b64encode(b"S").decode()})
    volumes = [
        {"name": "plain", "configMap": {"name": "c"}},
        {"name": "some", "configMap": {"name": "c", "defaultMode": 0o600,
         "items": [{"key": "a", "path": "deep/er"}, {"key": "b", "path": "bee", "mode": 0o440}]}},
        {"name": "sealed", "secret": {"secretName": "s", "defaultMode": 0o400}},
        {"name": "all", "projected": {"defaultMode": 0o640, "sources": [
            {"configMap": {"name": "c", "items": [{"key": "a", "path": "c/a", "mode": 0o604}]}},
            {"secret": {"name": "s", "items": [{"key": "a", "path": "s"}]}},
            {"downwardAPI": {"items": [
                {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}, "mode": 0o444}]}},
        ]}},
    ]  # fmt: skip
    mounts = [{"name": v["name"], "mountPath": f"/tmp/m/{v['name']}"} for v in volumes]
    script = "cd /tmp/m; stat -L -c '%n %a' plain/a some/deep/er some/bee sealed/a all/c/a all/s all/name; ls some"
    await node.run(script, container={"volumeMounts": mounts}, volumes=volumes)
    assert node.output(await node.finished()) == [
        "plain/a 644", "some/deep/er 600", "some/bee 440", "sealed/a 400",
        "all/c/a 604", "all/s 640", "all/name 444", "bee", "deep",
    ]  # fmt: skip


async def test_the_environment_of_a_container(node: Node) -> None:
    """P30, P31, P33: prefixes, references and their order, Services."""
    await node.create("v1", "ConfigMap", "one", data={"K": "one", "1st": "digit", "BOTH": "one"})
    await node.create("v1", "ConfigMap", "two", data={"BOTH": "two"})
    ports = [{"port": 80, "name": "web-http"}, {"port": 53, "name": "dns", "protocol": "UDP"}]
    service = await node.create(
        "v1", "Service", "my-shop", spec={"ports": ports, "selector": {"a": "b"}}
    )
    await node.create("v1", "Service", "headless", spec={"ports": ports, "clusterIP": "None"})
    env = [
        {"name": "EARLY", "value": "$(LATE) $(P_K) $$(P_K)"},
        {"name": "LATE", "value": "late"},
        {"name": "P_K2", "value": "own"},
    ]  # fmt: skip
    sources = [{"prefix": "P_", "configMapRef": {"name": n}} for n in ("one", "two")]
    await node.run(
        "env", container={"env": env, "envFrom": sources, "args": ["unused"]},
    )  # fmt: skip
    found = dict(line.partition("=")[::2] for line in node.output(await node.finished()))
    ip = service["spec"]["clusterIP"]
    assert found["EARLY"] == "$(LATE) one $(P_K)"
    assert (found["P_BOTH"], found["P_1st"], found["P_K2"]) == ("two", "digit", "own")
    assert found["MY_SHOP_SERVICE_HOST"] == ip
    assert found["MY_SHOP_SERVICE_PORT"] == found["MY_SHOP_SERVICE_PORT_WEB_HTTP"] == "80"
    assert found["MY_SHOP_PORT"] == found["MY_SHOP_PORT_80_TCP"] == f"tcp://{ip}:80"
    assert found["MY_SHOP_PORT_53_UDP_ADDR"] == ip
    assert found["MY_SHOP_PORT_53_UDP_PROTO"] == "udp"
    assert not [name for name in found if name.startswith("HEADLESS")]
    assert found["HOSTNAME"] == "p"


async def test_a_pod_may_do_without_links_to_services(node: Node) -> None:
    """P33: but for the API server's."""
    await node.create("v1", "Service", "shop", spec={"ports": [{"port": 80}]})
    await node.create("v1", "Service", "kubernetes", spec={"ports": [{"port": 443}]})
    await node.run("env", enableServiceLinks=False)
    names = {line.partition("=")[0] for line in node.output(await node.finished())}
    assert "SHOP_SERVICE_HOST" not in names
    assert "KUBERNETES_SERVICE_HOST" in names


async def test_an_empty_dir_is_the_pods(node: Node) -> None:
    """P35: shared by its containers, kept over their restarts, gone with it."""
    mounts = [{"name": "v", "mountPath": "/tmp/shared"}]
    init = [{"name": "first", "image": "i", "volumeMounts": mounts,
             "command": ["sh", "-c", "stat -c %a /tmp/shared; ls -A /tmp/shared; echo x > /tmp/shared/a"]}]  # fmt: skip
    script = "cat /tmp/shared/a; echo x >> /tmp/shared/a; [ $(wc -l < /tmp/shared/a) -ge 3 ]"
    await node.run(
        script, container={"volumeMounts": mounts}, initContainers=init,
        restartPolicy="OnFailure", volumes=[{"name": "v", "emptyDir": {}}],
    )  # fmt: skip
    pod = await node.finished()
    assert node.output(pod, "first") == ["777"]
    assert node.output(pod, attempt=1) == ["x", "x"]
    directory = node.state_dir / "pods" / pod["metadata"]["uid"]
    assert directory.exists()
    await node.registry.delete(kinds.POD, "p", "default")
    while directory.exists():
        await asyncio.sleep(0.02)


async def test_a_container_leaves_a_message(node: Node) -> None:
    """P37: at most 4096 bytes of the file, where the Pod says it is or at the usual place."""
    tail = "head -c 5000 /dev/zero | tr '\\0' x > /dev/termination-log; printf end >> /dev/termination-log"
    await node.run(tail)
    message = terminated(await node.finished())["message"]
    assert message.endswith("xend")
    assert len(message) == 4096
    await node.registry.delete(kinds.POD, "p", "default")
    await node.gone()
    await node.run(
        "echo out; echo why > /tmp/why; exit 3",
        container={"terminationMessagePath": "/tmp/why", "terminationMessagePolicy": "FallbackToLogsOnError"},
    )  # fmt: skip
    assert terminated(await node.finished())["message"] == "why\n"


async def test_the_log_tells_where_a_container_that_failed_does_not(node: Node) -> None:
    """P37: its last 80 lines, or 2048 bytes; not of one that succeeded."""
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    await node.run("for i in $(seq 200); do echo line $i; done; exit 1", container=policy)
    message = terminated(await node.finished())["message"]
    assert message.splitlines() == [f"line {i}" for i in range(121, 201)]
    await node.registry.delete(kinds.POD, "p", "default")
    await node.gone()
    await node.run("echo fine", container=policy)
    assert "message" not in terminated(await node.finished())


async def test_names_of_a_pod(node: Node) -> None:
    """P42, P43."""
    aliases = [{"ip": "192.0.2.7", "hostnames": ["old", "older"]}]
    config = {"options": [{"name": "ndots", "value": "2"}], "searches": ["more.example"]}
    await node.run(
        "hostname; cat /etc/hosts /etc/resolv.conf; echo $HOSTNAME",
        hostname="web", subdomain="pods", setHostnameAsFQDN=True, hostAliases=aliases, dnsConfig=config,
    )  # fmt: skip
    pod = await node.finished()
    lines = [line.split() for line in node.output(pod)]
    full = "web.pods.default.svc.cluster.local"
    assert lines[0] == lines[-1] == [full]
    assert any(line[1:] == [full, "web"] for line in lines)
    assert ["192.0.2.7", "old", "older"] in lines
    assert ["nameserver", "10.96.0.10"] in lines
    searches = "default.svc.cluster.local svc.cluster.local cluster.local corp.example more.example"
    assert ["search", *searches.split()] in lines
    assert ["options", "ndots:2"] in lines


async def test_a_hook_that_fails_after_the_start_ends_the_container(node: Node) -> None:
    """P38: until it ends the container does not count as started, and its probes do not run."""
    failing = {"exec": {"command": ["sh", "-c", "echo no >&2; exit 1"]}}
    await node.run(SLEEP, container={"lifecycle": {"postStart": failing}})
    pod = await node.finished()
    assert pod["status"]["phase"] == "Succeeded", "the script ends well when it is told to"
    assert "no" in (await node.event("FailedPostStartHook"))["message"]


async def test_a_hook_comes_before_the_signal(node: Node) -> None:
    """D06, D07: and one that fails is told, and the end goes on."""
    script = "trap 'echo told; exit 0' TERM; echo begun; while :; do sleep 0.05; done"
    hook = {"exec": {"command": ["sh", "-c", "echo hook > /proc/1/fd/1; exit 3"]}}
    await node.run(script, container={"lifecycle": {"preStop": hook}})
    pod = await node.until(runs())
    while node.output(pod) != ["begun"]:
        await asyncio.sleep(0.02)
    await node.registry.patch(
        kinds.POD, "p", "default", {"metadata": {"finalizers": ["example.com/keep"]}}
    )
    await node.registry.delete(kinds.POD, "p", "default")
    await node.event("FailedPreStopHook")
    await node.until(lambda p: "terminated" in state(p))
    await node.registry.patch(kinds.POD, "p", "default", {"metadata": {"finalizers": None}})
    await node.gone()


async def test_a_container_may_ask_for_another_signal(node: Node) -> None:
    """D07: lifecycle.stopSignal."""
    script = "trap 'exit 42' USR1; trap 'exit 1' TERM; echo begun; while :; do sleep 0.05; done"
    await node.run(
        script, container={"lifecycle": {"stopSignal": "SIGUSR1"}}, os={"name": "linux"},
        activeDeadlineSeconds=3,
    )  # fmt: skip
    pod = await node.finished()
    assert terminated(pod)["exitCode"] == 42
    assert pod["status"]["reason"] == "DeadlineExceeded"


async def test_one_container_is_replaced_when_its_image_changes(node: Node) -> None:
    """P45: in place; the others go on, and their count stays."""
    other = {"name": "other", "image": "app", "command": ["sleep", "600"]}
    main = {"name": "main", "image": "app:1", "command": ["sh", "-c", SLEEP]}
    await node.run("", containers=[main, other])
    before = await node.until(lambda p: runs()(p) and runs("other")(p))
    current = await node.pod()
    spec = {**current["spec"], "containers": [{**current["spec"]["containers"][0], "image": "app:2"},
                                              current["spec"]["containers"][1]]}  # fmt: skip
    await node.registry.update({**current, "spec": spec})
    after = await node.until(
        lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1 and runs()(p)
    )
    main_status, other_status = after["status"]["containerStatuses"]
    assert main_status["image"] == "app:2"
    assert main_status["lastState"]["terminated"]["exitCode"] == 0
    assert other_status == before["status"]["containerStatuses"][1]


async def test_what_is_optional_may_come_later(node: Node) -> None:
    """P26: no variable, no file, and the container runs; the file comes with its object."""
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
    ]  # fmt: skip
    sources = [{"configMapRef": {"name": "c", "optional": True}}]
    volumes = [
        {"name": "v", "configMap": {"name": "c", "optional": True}},
        {"name": "w", "secret": {"secretName": "s", "optional": True}},
    ]
    mounts = [{"name": "v", "mountPath": "/tmp/v"}, {"name": "w", "mountPath": "/tmp/w"}]
    script = (
        "ls /tmp/v /tmp/w; echo ${A-unset} ${B-unset} ${k-unset}; touch /dev/shm/looked; "
        "until [ -e /tmp/v/k ]; do sleep 0.05; done; cat /tmp/v/k"
    )
    looked = {"exec": {"command": ["ls", "/dev/shm/looked"]}, "periodSeconds": 1}
    container = {
        "env": env, "envFrom": sources, "volumeMounts": mounts, "readinessProbe": looked
    }  # fmt: skip
    await node.run(script, container=container, volumes=volumes)
    await node.until(is_ready)
    await node.create("v1", "ConfigMap", "c", data={"k": "late"})
    pod = await node.finished()
    assert node.output(pod) == ["/tmp/v:", "", "/tmp/w:", "unset unset unset", "late"]


async def test_a_container_is_told_of_its_pod(node: Node) -> None:
    """P34: by variables and by files, resources with a divisor, and what the node has where none is limited."""
    fields = {
        "NAME": "metadata.name", "SPACE": "metadata.namespace", "UID_": "metadata.uid",
        "LABEL": "metadata.labels['app.kubernetes.io/name']", "NOTE": "metadata.annotations['note']",
        "NODE": "spec.nodeName", "ACCOUNT": "spec.serviceAccountName", "HOST": "status.hostIP",
        "IP": "status.podIP", "IPS": "status.podIPs", "HOSTS": "status.hostIPs",
    }  # fmt: skip
    env: list[dict[str, Any]] = [
        {"name": n, "valueFrom": {"fieldRef": {"fieldPath": p}}} for n, p in fields.items()
    ]
    resources = {
        "LIMIT": {"resource": "limits.memory", "divisor": "1Mi"},
        "REQUEST": {"resource": "requests.cpu", "divisor": "1m"},
        "ROUNDED": {"resource": "requests.cpu"},
        "WHOLE": {"resource": "limits.cpu"},
    }
    env += [{"name": n, "valueFrom": {"resourceFieldRef": r}} for n, r in resources.items()]
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "sub/name", "fieldRef": {"fieldPath": "metadata.name"}},
        {"path": "memory", "resourceFieldRef": {"containerName": "main", "resource": "limits.memory"}},
    ]  # fmt: skip
    container = {
        "env": env, "volumeMounts": [{"name": "v", "mountPath": "/tmp/v"}],
        "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "250m"}},
    }  # fmt: skip
    await node.run(
        "env; for f in labels sub/name memory; do echo $f=$(cat /tmp/v/$f); done",
        meta={"labels": {"app.kubernetes.io/name": "shop"}, "annotations": {"note": "a b"}},
        container=container, volumes=[{"name": "v", "downwardAPI": {"items": items}}],
    )  # fmt: skip
    pod = await node.finished()
    found = dict(line.partition("=")[::2] for line in node.output(pod))
    status, meta = pod["status"], pod["metadata"]
    assert (found["NAME"], found["SPACE"], found["UID_"]) == ("p", "default", meta["uid"])
    assert (found["LABEL"], found["NOTE"]) == ("shop", "a b")
    assert (found["NODE"], found["ACCOUNT"]) == ("node", "default")
    assert found["IP"] == found["IPS"] == status["podIP"]
    assert found["HOST"] == found["HOSTS"] == status["hostIP"]
    assert (found["LIMIT"], found["REQUEST"], found["ROUNDED"]) == ("64", "250", "1")
    assert found["WHOLE"] == "2", "the node's own"
    assert found["labels"] == 'app.kubernetes.io/name="shop"'
    assert (found["sub/name"], found["memory"]) == ("p", str(64 << 20))


async def test_a_last_line_without_an_end_is_in_the_log(node: Node) -> None:
    """A program need not end with a newline."""
    await node.run("echo whole; printf cut")
    assert node.output(await node.finished()) == ["whole", "cut"]


async def test_a_sandbox_that_ended_is_made_again_and_that_is_told(node: Node) -> None:
    await node.run("exec sleep 1000", restartPolicy="Always")
    await node.until(runs())
    (box,) = await node.runtime.pods()
    await node.runtime.stop_pod_sandbox(box.id)
    told = await node.event("SandboxChanged")
    assert told["message"] == "Pod sandbox changed, it will be killed and re-created."
    await node.until(
        lambda p: runs()(p) and p["status"]["containerStatuses"][0]["restartCount"] == 1
    )
