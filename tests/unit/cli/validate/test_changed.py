"""A pull request hears of what it touched and of what refers to that, and of nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from reconciler.cli.validate import command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec: {containers: [{name: c, image: i, envFrom: [{configMapRef: {name: %s}}]}]}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "settings.yaml").write_text(CONFIG)
    (folder / "web.yaml").write_text(POD % ("web", "web", "settings"))
    (folder / "service.yaml").write_text(SERVICE)
    (folder / "old.yaml").write_text(POD % ("old", "old", "elsewhere"))
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return folder


def told(folder: Path, *options: str) -> tuple[list[tuple[str, str]], dict[str, int]]:
    done = CliRunner().invoke(
        command, [str(folder), "--format", "json", "--changed-since", "main", *options]
    )
    assert done.exit_code in (0, 3), done.output
    found = json.loads(done.stdout)
    names = [(f["file"].rpartition("/")[2], f["rule"]) for f in found["findings"]]
    return names, found["summary"]


def test_where_nothing_changed_nothing_is_told(checkout: Path) -> None:
    assert told(checkout) == ([], {
        "files": 0, "documents": 0, "errors": 0, "warnings": 0, "skipped": 0, "ignored": 0,
    })  # fmt: skip


def test_a_new_mistake_is_told_and_an_old_one_elsewhere_is_not(checkout: Path) -> None:
    (checkout / "new.yaml").write_text(CONFIG.replace("settings", "new") + "datum: {}\n")
    found, summary = told(checkout)
    assert found == [("new.yaml", "schema/unknown-field")]
    assert (summary["files"], summary["documents"]) == (1, 1)


def test_what_refers_to_a_removed_object_is_told(checkout: Path) -> None:
    (checkout / "settings.yaml").unlink()
    assert told(checkout)[0] == [("web.yaml", "reference/config-map")]


def test_what_selected_changed_labels_is_told(checkout: Path) -> None:
    (checkout / "web.yaml").write_text(POD % ("web", "other", "settings"))
    assert told(checkout)[0] == [("service.yaml", "reference/selector")]


def test_a_changed_partial_concerns_every_template(checkout: Path) -> None:
    (checkout / "t.yaml.j2").write_text("{% include '_p.j2' %}")
    (checkout / "_p.j2").write_text(CONFIG.replace("settings", "t"))
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "second")
    (checkout / "_p.j2").write_text(CONFIG.replace("settings", "t") + "datum: {}\n")
    assert told(checkout)[0] == [("_p.j2", "schema/unknown-field")]


@pytest.mark.parametrize("ref", ["nowhere", "--all"])
def test_an_unknown_commit_is_told_in_one_line(checkout: Path, ref: str) -> None:
    done = CliRunner().invoke(command, [str(checkout), f"--changed-since={ref}"])
    assert done.exit_code != 0
    assert ref in str(done.exception)


def test_what_the_other_branch_got_since_is_no_change_of_this_one(checkout: Path) -> None:
    """As GitHub compares a pull request: with where it left its base."""
    git(checkout, "checkout", "-qb", "feature")
    (checkout / "web.yaml").write_text(POD % ("web", "web", "gone"))
    git(checkout, "commit", "-qam", "feature")
    git(checkout, "checkout", "-q", "main")
    (checkout / "old.yaml").write_text(POD % ("old", "old", "gone"))
    git(checkout, "commit", "-qam", "main went on")
    git(checkout, "checkout", "-q", "feature")
    names, summary = told(checkout)
    assert names == [("web.yaml", "reference/config-map")]
    assert summary["files"] == 1


NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod%s}\n"
NODE_PORT = """\
apiVersion: v1
kind: Service
metadata: {name: %s}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]}
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %s}
spec: {rules: [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: %s}}}}]}}]}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: z}
spec:
  replicas: 2
  selector: {matchLabels: {app: z}}
  template: {metadata: {labels: {app: z}}, spec: {containers: [{name: c, image: i}]}}
"""
SCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: z}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: z}, minReplicas: 1, maxReplicas: 3}
"""
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: carts.shop.io}
spec:
  group: shop.io
  scope: Namespaced
  names: {kind: Cart, plural: carts}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {size: {type: %s}}}}
"""
RESTRICTED = ", labels: {pod-security.kubernetes.io/enforce: restricted}"


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ({"z.yaml": NODE_PORT % "z"}, {"a.yaml": NODE_PORT % "a"}, "reference/node-port"),
        (
            {"service.yaml": SERVICE.replace("{port: 80}", "{name: a, port: 80}, {name: b, port: 81}"), "z.yaml": INGRESS % ("z", 80)},
            {"a.yaml": INGRESS % ("a", 81)}, "reference/ingress-conflict",
        ),
        ({"z.yaml": DEPLOYMENT}, {"a.yaml": SCALER}, "reference/scaled-replicas"),
        (
            {"n.yaml": NAMESPACE % "", "z.yaml": DEPLOYMENT.replace("name: z}", "name: z, namespace: prod}")},
            {"n.yaml": NAMESPACE % RESTRICTED}, "reference/pod-security",
        ),
        (
            {"n.yaml": NAMESPACE % "", "z.yaml": DEPLOYMENT.replace("name: z}", "name: z, namespace: prod}")},
            {"n.yaml": NAMESPACE.replace("prod", "other") % ""}, "reference/namespace",
        ),
        (
            {"n.yaml": DEFINITION % "integer", "z.yaml": "apiVersion: shop.io/v1\nkind: Cart\nmetadata: {name: a}\nsize: 1\n"},
            {"n.yaml": DEFINITION % "string"}, "schema/type",
        ),
    ],
)  # fmt: skip
def test_what_a_change_breaks_elsewhere_is_told_there(
    checkout: Path, before: dict[str, str], after: dict[str, str], rule: str
) -> None:
    for name, text in before.items():
        (checkout / name).write_text(text)
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "before")
    assert told(checkout)[0] == []
    for name, text in after.items():
        (checkout / name).write_text(text)
    found = told(checkout, "--rule", "runtime/*=off")[0]
    assert ("z.yaml", rule) in found
    assert {name for name, _ in found} <= {"z.yaml", *after}
