"""Tables against what kubectl prints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.api import kinds
from reconciler.cli import tables

GOLDEN = Path(__file__).parents[4] / "shared" / "facts" / "kubectl-golden" / "golden.json"
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="needs the recorded kubectl answers")

LISTS = (
    "pods", "deployments", "replicasets", "statefulsets", "services", "endpointslices", "configmaps",
    "secrets", "persistentvolumes", "persistentvolumeclaims", "ingresses", "namespaces", "nodes",
    "controllerrevisions", "serviceaccounts", "daemonsets", "jobs", "cronjobs",
    "hpa", "pdb",
)  # fmt: skip


def golden(command: str) -> str:
    found = json.loads(GOLDEN.read_text())
    return next(
        str(x["stdout"]) for x in found if x["command"] == f"kubectl -n golden get {command}"
    )


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def pod(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "app"}]},
        "status": status,
    }


@needs_golden
@pytest.mark.parametrize("wide", [False, True], ids=["plain", "wide"])
@pytest.mark.parametrize("plural", LISTS)
def test_titles_are_those_of_kubectl(plural: str, *, wide: bool) -> None:
    kind = kinds.resolve(plural)
    assert kind is not None
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}}
    head = tables.table([obj], 0, wide=wide).splitlines()[0]
    assert cells(head) == cells(golden(plural + (" -o wide" if wide else "")).splitlines()[0])


@needs_golden
@pytest.mark.parametrize(
    ("asked", "plural"),
    [
        ("pod -l app=web -o yaml", "pods"),
        ("deploy web -o yaml", "deployments"),
        ("rs -o yaml", "replicasets"),
        ("sts db -o yaml", "statefulsets"),
        ("svc web -o yaml", "services"),
        ("endpointslices -o yaml", "endpointslices"),
        ("pvc data -o yaml", "persistentvolumeclaims"),
        ("pv golden-pv -o yaml", "persistentvolumes"),
        ("ingress web -o yaml", "ingresses"),
        ("cm web-config -o json", "configmaps"),
        ("secret web-secret -o yaml", "secrets"),
    ],
)
def test_rows_are_those_of_kubectl(asked: str, plural: str) -> None:
    document = yaml.safe_load(golden(asked))
    objects = document["items"] if document["kind"] == "List" else [document]
    lines = [cells(line) for line in golden(f"{plural} -o wide").splitlines()]
    shown = [cells(line) for line in tables.table(objects, 2e9, wide=True).splitlines()]
    hidden = lines[0].index("AGE") - len(
        lines[0]
    )  # from the end: an empty cell before it shifts the others
    expected = {row[0]: row[:hidden] + row[len(row) + hidden + 1 :] for row in lines[1:]}
    assert objects
    for row in shown[1:]:
        assert row[:hidden] + row[len(row) + hidden + 1 :] == expected[row[0]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (130, "2m10s"), (600, "10m"), (3 * 3600, "3h"),
     (7300, "121m"), (8 * 3600, "8h"), (49 * 3600, "2d1h"), (8 * 86400, "8d"), (-5, "0s")],
)  # fmt: skip
def test_ages_shorten_as_kubectls(seconds: float, text: str) -> None:
    assert tables.duration(seconds) == text


def test_a_pods_state_is_the_reason_that_a_user_looks_for() -> None:
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "name": "app"}
    assert tables.pod_state(pod(phase="Running", containerStatuses=[waiting])) == "CrashLoopBackOff"
    ended = {"state": {"terminated": {"exitCode": 3}}, "name": "app"}
    assert tables.pod_state(pod(phase="Failed", containerStatuses=[ended])) == "ExitCode:3"
    assert tables.pod_state(pod(phase="Failed", reason="Evicted")) == "Evicted"
    going = pod(phase="Running")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert tables.pod_state(going) == "Terminating"


def test_init_containers_and_sidecars_in_a_pods_row() -> None:
    first = {"name": "setup", "state": {"running": {}}, "restartCount": 0}
    starting = pod(phase="Pending", initContainerStatuses=[first])
    starting["spec"]["initContainers"] = [{"name": "setup"}]
    assert tables.pod_state(starting) == "Init:0/1"
    side = {"name": "side", "started": True, "ready": True, "restartCount": 2, "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 1, "finishedAt": "1970-01-01T00:01:00Z"}}}  # fmt: skip
    app = {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}}
    running = pod(phase="Running", initContainerStatuses=[side], containerStatuses=[app])
    running["spec"]["initContainers"] = [{"name": "side", "restartPolicy": "Always"}]
    row = cells(tables.table([running], 120).splitlines()[1])
    assert row[1:4] == ["2/2", "Running", "2 (60s ago)"]


def test_events_show_what_happened_to_whom() -> None:
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.1", "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "name": "web"}, "type": "Warning", "reason": "BackOff",
        "message": "Back-off\nrestarting", "lastTimestamp": "1970-01-01T00:00:00Z",
    }  # fmt: skip
    head, row = tables.table([event], 30, namespaces=True).splitlines()
    assert cells(head) == ["NAMESPACE", "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert cells(row) == ["shop", "30s", "Warning", "BackOff", "pod/web", "Back-off restarting"]
