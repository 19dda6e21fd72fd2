"""Real manifests that nobody here wrote: every error is one that an API server would answer with too.

They lie beside the checkout (``../shared/manifests``); without them the test says so and skips. Each group of errors was looked at
by hand; one that is new here is either a fault of ours or a new row. docs/validate.md tells what the groups are.
"""

from __future__ import annotations

import collections
import json
from pathlib import Path

import pytest

from tests.unit.cli.line import reconciler

CORPUS = Path(__file__).parents[3] / "shared" / "manifests"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the real manifests are not here")

_WITHOUT_TYPE = "no object of the API: values, patches, settings of other programs"
_TEMPLATE = "templates of other programs, or broken on purpose: not to be read, or names with {{ }}, $X, __X__ in them"
_PARTIAL = "a part of an object, for kustomize or server-side apply, or one without a name: required fields are missing"
_OLD = "an apiVersion that Kubernetes 1.36 serves no longer"
_PODMAN = "Podman takes it: capitals in names, no image, `pull: missing`, the host's sysctls, numbers where strings are asked"
_KUSTOMIZED = (
    "a ServiceAccount without a namespace: kustomize, or the test that applies it, fills it in"
)
_WRONG = "wrong: a word misspelt, a value of another type, a rule of the API broken"

#: source -> rules -> why an API server refuses it.
EXPLAINED: dict[str, dict[str, str]] = {
    "SOURCES.json": {"schema/type": _WITHOUT_TYPE},
    "ingress-nginx": {
        "rule/role-binding": _KUSTOMIZED, "rule/ingress-host": _TEMPLATE, "rule/ingress-tls": _TEMPLATE, "schema/format": _TEMPLATE,
        "schema/missing-type": _WITHOUT_TYPE, "schema/required": _WRONG, "schema/type": _WRONG,
    },
    "k8s-tree-tests": {
        "deprecation/removed": _OLD, "rule/containers": _PARTIAL, "rule/label": _TEMPLATE, "rule/mount": _WRONG,
        "rule/name": _TEMPLATE, "rule/resource-name": _TEMPLATE, "rule/selector": _TEMPLATE,
        "rule/role-binding": _KUSTOMIZED, "schema/format": _TEMPLATE, "schema/pattern": _TEMPLATE,
        "rule/selector-match": _WRONG, "rule/toleration": _TEMPLATE, "schema/missing-type": _WITHOUT_TYPE,
        "schema/required": _PARTIAL, "schema/type": _TEMPLATE, "schema/unknown-field": _WRONG,
        "syntax/duplicate-key": _WRONG, "syntax/key": _TEMPLATE, "syntax/yaml": _TEMPLATE,
    },
    "k8s-website-2021": {
        "deprecation/removed": _OLD, "rule/name": _TEMPLATE, "rule/scale-target": _WRONG,
        "schema/missing-type": _WITHOUT_TYPE, "schema/required": _PARTIAL, "schema/type": _PARTIAL,
        "schema/unknown-field": _WRONG,
    },
    "kube-state-metrics": {"rule/role-binding": _KUSTOMIZED, "schema/missing-type": _WITHOUT_TYPE},
    "kubeconform-fixtures": {
        "deprecation/removed": _OLD, "schema/missing-type": _WITHOUT_TYPE, "schema/type": _WRONG,
        "schema/unknown-field": _WRONG, "syntax/duplicate-key": _WRONG,
    },
    "kubeval-fixtures": {
        "deprecation/removed": _OLD, "schema/missing-type": _WITHOUT_TYPE, "schema/type": _WRONG,
        "schema/unknown-field": _WRONG,
    },
    "kustomize": {
        "rule/name": _WRONG, "schema/missing-type": _WITHOUT_TYPE, "schema/required": _PARTIAL,
        "schema/type": _WITHOUT_TYPE, "schema/unknown-version": _WRONG,
    },
    "metrics-server": {
        "deprecation/removed": _OLD, "schema/missing-type": _WITHOUT_TYPE, "schema/required": _PARTIAL,
        "schema/type": _PARTIAL, "schema/unknown-field": _PARTIAL,
    },
    "microservices-demo": {"schema/unknown-field": _PARTIAL},
    "netpol-recipes": {"schema/missing-type": _WITHOUT_TYPE},
    "podman": {
        "deprecation/removed": _OLD, "rule/annotation": _TEMPLATE, "rule/container-name": _PODMAN,
        "rule/containers": _PODMAN, "rule/image": _PODMAN, "rule/label": _TEMPLATE, "rule/name": _PODMAN,
        "rule/selector": _WRONG, "rule/restart-policy": _PODMAN, "rule/scale-target": _WRONG, "rule/sysctl": _PODMAN,
        "schema/enum": _PODMAN,
        "schema/missing-type": _WITHOUT_TYPE, "schema/required": _PODMAN, "schema/type": _PODMAN,
        "schema/unknown-field": _WRONG, "schema/unknown-version": _PODMAN, "syntax/duplicate-key": _WRONG,
        "syntax/key": _TEMPLATE, "syntax/yaml": _TEMPLATE,
    },
    "robot-shop": {"schema/missing-type": _WITHOUT_TYPE},
    "sock-shop": {"deprecation/removed": _OLD, "schema/missing-type": _WITHOUT_TYPE},
}  # fmt: skip


def test_every_error_over_real_manifests_is_one_of_an_api_server_too(tmp_path: Path) -> None:
    done = reconciler(
        "--state-dir", str(tmp_path), "validate", str(CORPUS), "--no-references", "--format", "json"
    )  # fmt: skip
    told = json.loads(done.stdout)
    errors = [f for f in told["findings"] if f["severity"] == "error"]
    unexplained = collections.Counter(
        (source, f["rule"])
        for f in errors
        if f["rule"] not in EXPLAINED.get(source := _source(f["file"]), {})
    )
    assert not unexplained
    # A row that nothing stands for any more is a verdict that got lost.
    found = {(_source(f["file"]), f["rule"]) for f in errors}
    assert {(s, r) for s, rules in EXPLAINED.items() for r in rules} <= found


def _source(file: str) -> str:
    return Path(file).relative_to(CORPUS).parts[0]
