"""``reconciler schemas``: made of real OpenAPI and CRDs, found again, and fit for an editor."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from reconciler.api import schemas
from reconciler.api.objects import GroupVersionKind
from reconciler.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFESTS = Path(__file__).parents[5] / "shared/manifests/k8s-tree-tests"

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: carts.shop.example.org}
spec:
  group: shop.example.org
  scope: Namespaced
  names: {kind: Cart, plural: carts}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        description: A cart.
        type: object
        properties:
          spec:
            type: object
            required: [items]
            properties:
              items: {type: integer, minimum: 0, exclusiveMinimum: true}
              note: {type: string, nullable: true}
              limit: {x-kubernetes-int-or-string: true}
---
kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
"""


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def running(*words: str) -> Ran:
        with pytest.raises(SystemExit) as done:
            main(["--state-dir", str(tmp_path / "state"), *words])
        said = capsys.readouterr()
        return Ran(int(done.value.code or 0), said.out, said.err)

    return running


def test_a_crd_becomes_a_strict_schema_in_the_state_directory(run: Any, tmp_path: Path) -> None:
    (tmp_path / "crd.yaml").write_text(CRD)
    ran = run("schemas", "import", str(tmp_path / "crd.yaml"))
    assert (ran.code, ran.out) == (0, f"1 schema written to {tmp_path}/state/schemas\n")
    assert "1 document was neither" in ran.err
    path = tmp_path / "state/schemas/cart-shop-v1.json"
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
    assert path.stat().st_mode & 0o777 == 0o644
    library = schemas.Library(path.parent)
    check = library.validator(GroupVersionKind("shop.example.org", "v1", "Cart"))
    assert check is not None
    cart = {"apiVersion": "shop.example.org/v1", "kind": "Cart", "metadata": {"name": "c"}}
    assert check.errors(cart | {"spec": {"items": 1, "note": None, "limit": "10%"}}) == []
    found = check.errors(cart | {"spec": {"items": 0, "notes": "x"}})
    assert [e.path for e in found] == [("spec", "items"), ("spec", "notes")]
    assert "Cart" in run("schemas", "list").out
    assert run("schemas", "path", "Cart").out == f"{path}\n"


def test_a_version_has_a_folder_as_kubeconform_looks_for_it(run: Any, tmp_path: Path) -> None:
    (tmp_path / "crd.yaml").write_text(CRD)
    out = str(tmp_path / "out")
    words = ("schemas", "import", str(tmp_path), "--out", out, "--kubernetes-version", "1.29.3")
    assert run(*words).code == 0
    names = [p.name for p in (tmp_path / "out/v1.29.0-standalone-strict").iterdir()]
    assert names == ["cart-shop-v1.json"]
    assert run(*words[:-1], "newest").code == 1


def test_two_groups_that_begin_alike_have_a_file_each(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CRD + "---\n" + CRD.replace("example.org", "example.com"))
    assert run("schemas", "import", str(tmp_path / "a.yaml")).code == 0
    names = sorted(p.name for p in (tmp_path / "state/schemas").iterdir())
    assert names == ["cart-shop-v1.json", "cart-shop.example.org-v1.json"]
    assert sum("Cart" in line for line in run("schemas", "list").out.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: b\n", "nothing here is OpenAPI"),
        ("a: [\n", "did not find"),
        ("{", "crd.yaml"),
        ("a: &a [*a]\n", "alias"),
        ("\x00", "crd.yaml"),
        (CRD.replace("type: integer", "type: intger"), "passed over"),
        (CRD.replace("kind: Cart", "kind: ../../Cart"), "no name of a kind"),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_line(
    run: Any, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "crd.yaml").write_text(text)
    ran = run("schemas", "import", str(tmp_path / "crd.yaml"))
    assert ran.code == 1
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "state/schemas").exists()


def test_a_broken_file_of_a_directory_holds_up_no_other(run: Any, tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds/a.yaml").write_text("a: [")
    (tmp_path / "crds/b.yaml").write_text(CRD)
    (tmp_path / "crds/c.yaml").symlink_to("/etc/hostname")
    ran = run("schemas", "import", str(tmp_path / "crds"))
    assert ran.code == 0
    assert "crds/a.yaml" in ran.err
    assert "1 schema written" in ran.out


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            away = {"/away": "file:///etc/hostname", "/there": "/crd"}.get(self.path)
            self.send_response(302 if away else 200 if self.path == "/crd" else 404)
            if away:
                self.send_header("Location", away)
            self.end_headers()
            self.wfile.write(CRD.encode() if self.path == "/crd" else b"")

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


@pytest.mark.parametrize(("path", "code"), [("/crd", 0), ("/there", 0), ("/away", 1), ("/no", 1)])
def test_a_url_is_followed_over_http_and_nowhere_else(
    run: Any, server: str, path: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ran = run("schemas", "import", server + path)
    assert ran.code == code, ran.err
    assert "fault of reconciler" not in ran.err


def test_show_prints_a_kind_or_a_field_and_knows_the_nearest_name(run: Any) -> None:
    whole = json.loads(run("schemas", "show", "apps/v1/Deployment").out)
    assert whole == json.loads((schemas.directory() / "deployment-apps-v1.json").read_text())
    field = json.loads(run("schemas", "show", "deploy", "spec.template.spec.containers.ports").out)
    assert field["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert "did you mean" in run("schemas", "show", "Deploymnet").err
    ran = run("schemas", "show", "Deployment", "spec.replica")
    assert (ran.code, "replicas" in ran.err) == (1, True)
    assert json.loads(run("schemas", "show", "reconciler.yaml").out)["title"] == "reconciler.yaml"
    newest = json.loads(run("schemas", "show", "hpa").out)
    assert newest["title"] == "HorizontalPodAutoscaler autoscaling/v2"


def test_path_is_the_directory_that_editors_open(run: Any) -> None:
    directory = Path(run("schemas", "path").out.strip())
    assert (directory / "reconciler.json").is_file()
    listed = json.loads(run("schemas", "list", "-o", "json").out)["schemas"]
    assert {Path(e["file"]).parent for e in listed} == {directory}
    assert {e["kind"] for e in listed} >= {"Deployment", "Application"}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("staging/src/k8s.io/kubectl/testdata/openapi/v3/apis/apps/v1.json", 7),
        ("staging/src/k8s.io/kubectl/pkg/explain/v2/templates/apiextensions.k8s.io_v1.json", 1),
        ("cluster/addons/calico-policy-controller", 15),
        ("cluster/addons/volumesnapshots/crd", 3),
    ],
)
def test_real_documents_become_schemas_of_2020_12(
    run: Any, tmp_path: Path, source: str, count: int
) -> None:
    if not MANIFESTS.is_dir():
        pytest.skip("real OpenAPI documents (../shared/manifests) are not here")
    ran = run("schemas", "import", str(MANIFESTS / source))
    assert ran.code == 0, ran.err
    files = list((tmp_path / "state/schemas").iterdir())
    assert len(files) == count
    for path in files:
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
