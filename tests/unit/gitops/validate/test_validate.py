"""What is wrong between documents and with their kinds; what is kept from one look to the next."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.gitops.render import RenderCache, render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import ValidateCache, validate

if TYPE_CHECKING:
    from reconciler.gitops.finding import Finding


def snapshot(**files: str) -> Snapshot:
    found = {}
    for name, text in files.items():
        path = name.replace("__", ".")
        found[path] = File(path, sha256(text.encode()).hexdigest(), text.encode())
    return Snapshot(sha256(repr(files).encode()).hexdigest(), found)


def findings(text: str, **options: Any) -> list[tuple[str, str, int]]:
    rendered = render(snapshot(a__yaml=text))
    assert not rendered.findings, rendered.findings
    return [(f.rule, f.severity, f.line) for f in validate(rendered.documents, **options)]


def pod(inside: str) -> str:
    return (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: p}}\nspec:\n"
        f"  containers: [{{name: c, image: i, {inside}}}]\n"
    )


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {selector: {app: %s}, ports: [{name: web, port: 80}]}
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i}
spec:
  defaultBackend:
    service: {name: s, port: {%s}}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (pod("envFrom: [{secretRef: {name: x}}]"), [("reference/secret", "error", 5)]),
        (pod("envFrom: [{secretRef: {name: x, optional: true}}]"), []),
        (pod("ports: []") + "  serviceAccountName: x\n", [("reference/service-account", "warning", 6)]),
        (pod("ports: []") + "  volumes: [{name: v, persistentVolumeClaim: {claimName: x}}]\n",
         [("reference/unmounted-volume", "warning", 6), ("reference/claim", "error", 6)]),
        (pod("ports: []") + "---\n" + SERVICE % "p", []),
        (SERVICE % "other", [("reference/selector", "warning", 4)]),
        (SERVICE % "p" + "---\n" + pod("ports: []") + "---\n" + INGRESS % "number: 80", []),
        (SERVICE % "p" + "---\n" + pod("ports: []") + "---\n" + INGRESS % "name: web", []),
        (SERVICE % "p" + "---\n" + pod("ports: []") + "---\n" + INGRESS % "number: 81",
         [("reference/service-port", "error", 17)]),
        ("apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n", [("schema/unknown-version", "error", 1)]),
        ("apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: a}\n", [("schema/unknown-kind", "error", 2)]),
        ("apiVersion: x.io/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [1]}}}\n",
         [("schema/unknown-kind", "info", 2)]),
        ("apiVersion: x.io/v1\nkind: X\nmetadata: {name: 3}\n", [("schema/type", "error", 3)]),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: [1]\n", [("schema/type", "error", 3)]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert findings(text) == expected


def test_what_exists_elsewhere_counts() -> None:
    text = pod("envFrom: [{secretRef: {name: x}}]")
    assert findings(text, exists=lambda key: key.kind == "Secret" and key.name == "x") == []


def test_a_broken_document_is_there_for_others() -> None:
    text = pod("envFrom: [{configMapRef: {name: x}}]") + (
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatum: {}\n"
    )
    assert findings(text) == [("schema/unknown-field", "error", 10)]


def test_items_of_a_list_are_placed() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: a}\n    x: 1\n"
    (found,) = validate(render(snapshot(a__yaml=text)).documents)
    assert (found.line, found.column, found.item, found.path) == (7, 5, 0, "/x")


def test_copies_of_a_file_keep_their_own_names_and_changes_are_seen() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx: 1\n"
    cache, checked = RenderCache(), ValidateCache()

    def look(**files: str) -> tuple[Finding, ...]:
        documents = render(snapshot(**files), cache=cache).documents
        return validate(documents, references=False, cache=checked)

    for _ in range(2):
        assert [f.file for f in look(a__yaml=text, b__yaml=text)] == ["a.yaml", "b.yaml"]
    assert [f.file for f in look(a__yaml=text.replace("x: 1\n", ""), b__yaml=text)] == ["b.yaml"]


def test_a_template_depends_on_values_and_on_what_it_includes() -> None:
    cache = RenderCache()
    files = {
        "a__yaml__j2": "{% include '_p.j2' %}",
        "_p__j2": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ name }}}\n",
    }

    def name(given: str) -> str:
        (document,) = render(snapshot(**files), values={"name": given}, cache=cache).documents
        return str(document.object["metadata"]["name"])

    assert name("one") == "one"
    assert name("two") == "two"
    files["_p__j2"] = files["_p__j2"].replace("{{ name }}", "x-{{ name }}")
    assert name("two") == "x-two"


def test_custom_resources_are_checked_by_the_definition_in_their_set() -> None:
    definition = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: backups.example.com}
spec:
  group: example.com
  names: {plural: backups, kind: Backup}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {keep: {type: integer, minimum: 1}, note: {type: string, nullable: true}}
---
"""
    resource = "apiVersion: example.com/v1\nkind: Backup\nmetadata: {name: a}\nspec: {%s}\n"

    def errors(spec: str) -> list[str]:
        found = findings(definition + resource % spec)
        return [rule for rule, severity, _ in found if severity == "error"]

    assert errors("keep: 1, note: null") == []
    assert errors("keep: 0") == ["schema/minimum"]
    assert errors("kept: 1") == ["schema/unknown-field"]
    assert errors("keep: many") == ["schema/type"]


def test_rules_of_a_custom_kind_s_author_are_asked_and_what_is_not_is_said_once() -> None:
    pytest.importorskip("cel_expr_python", reason="the extra cel is not installed")
    definition = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: backups.example.com}
spec:
  group: example.com
  names: {plural: backups, kind: Backup}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {keep: {type: integer, default: 7}, most: {type: integer}, at: {type: string}}
              x-kubernetes-validations:
                - {rule: self.keep <= self.most, message: keep is more than most, fieldPath: .keep}
                - {rule: "self.at.find('[0-9]+') == '1'"}
---
"""
    resource = "apiVersion: example.com/v1\nkind: Backup\nmetadata: {name: %s}\nspec: {%s}\n---\n"
    text = definition + resource % ("a", "keep: 9, most: 8") + resource % ("b", "most: 8")
    found = [(rule, line) for rule, _, line in findings(text) if rule.startswith("schema/cel")]
    assert found == [("schema/cel-skipped", 24), ("schema/cel", 26)]


def test_a_list_of_one_kind_holds_objects_of_it() -> None:
    """As kubectl reads it, and so once more from what is kept."""
    text = (
        "apiVersion: v1\nkind: ConfigMapList\nmetadata: {}\nitems:\n- metadata: {name: a}\n  datum: {}\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, x: 1}\n"
    )
    assert findings(text) == [
        ("schema/unknown-field", "error", 6), ("schema/unknown-field", "error", 7),
    ]  # fmt: skip
    for document in render(snapshot(a__yaml=text)).documents:
        assert document.positions.read(document.origin) == document.object


def test_what_a_file_by_itself_cannot_show_is_asked_only_of_a_set() -> None:
    """An API server accepts a probe of a port that is not there: a warning, and none without the set."""
    text = pod("readinessProbe: {httpGet: {port: web}}")
    assert findings(text) == [("reference/probe-port", "warning", 5)]
    assert findings(text, references=False) == []


_NAMESPACE = (
    "apiVersion: v1\nkind: Namespace\n"
    "metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: %s}}\n---\n"
)
_PLAIN = (
    "apiVersion: %s\nkind: %s\nmetadata: {name: web, namespace: %s}\nspec:\n%s"
    "      containers: [{name: c, image: i}]\n"
)
_TEMPLATE = "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n"


@pytest.mark.parametrize(
    ("level", "kind", "namespace", "severities"),
    [
        ("restricted", "Deployment", "shop", ["warning"]),
        ("restricted", "Pod", "shop", ["error"]),
        ("baseline", "Pod", "shop", []),
        ("restricted", "Pod", "default", []),
    ],
)
def test_what_a_namespace_of_the_set_will_refuse_is_told_before(
    level: str, kind: str, namespace: str, severities: list[str]
) -> None:
    version, inside = ("v1", "") if kind == "Pod" else ("apps/v1", _TEMPLATE)
    found = findings(_NAMESPACE % level + _PLAIN % (version, kind, namespace, inside))
    assert [s for rule, s, _ in found if rule == "reference/pod-security"] == severities


DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: carts.shop.io}
spec:
  group: shop.io
  scope: Namespaced
  names: {kind: Cart, plural: carts}
  versions:
    - {name: v2, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
    - {name: v1, served: false, storage: false, schema: {openAPIV3Schema: {type: object}}}
---
"""


def test_a_version_that_the_definition_in_the_set_does_not_serve_is_an_error() -> None:
    def cart(version: str, name: str) -> str:
        return f"---\napiVersion: shop.io/{version}\nkind: Cart\nmetadata: {{name: {name}}}\n"

    wrong = [("schema/unknown-version", "error")] * 2
    for version in ("v1", "v3"):
        found = findings(DEFINITION + cart(version, "a") + cart(version, "b") + cart("v2", "c"))
        assert [f[:2] for f in found if f[1] == "error"] == wrong
    assert not [f for f in findings(cart("v1", "a")) if f[1] == "error"]


def test_how_to_quote_is_told_as_written_or_not_at_all() -> None:
    """A value that came by an alias or a merge stands somewhere else than its path does."""
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
        "  - &c\n    name: c\n    image: i\n    env: [{name: A, value: 1.10}]\n  - <<: *c\n    name: d\n"
    )
    found = validate(render(snapshot(a__yaml=text)).documents)
    assert [f.hint for f in found] == ['quote it: "1.10"', 'quote it: "1.1"']


MAKERS = {
    "SealedSecret": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: x}\nspec: {}\n",
    "a SealedSecret that names another": (
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: other}\n"
        "spec: {template: {metadata: {name: x}}}\n"
    ),
    "Certificate": "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: other}\nspec: {secretName: x}\n",
    "ExternalSecret": "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: x}\nspec: {}\n",
    "a store's Secrets": (
        "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: other}\n"
        "spec: {secretObjects: [{secretName: z}, {secretName: x}]}\n"
    ),
    "an Ingress of cert-manager": (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
        "metadata: {name: i, annotations: {cert-manager.io/cluster-issuer: le}}\n"
        "spec: {tls: [{secretName: x}], defaultBackend: {service: {name: s, port: {number: 80}}}}\n---\n"
        + SERVICE % "p"
    ),
}  # fmt: skip


@pytest.mark.parametrize("maker", MAKERS)
def test_a_secret_that_a_controller_will_make_is_there(maker: str) -> None:
    asking = pod("ports: [{containerPort: 80}], envFrom: [{secretRef: {name: x}}]")
    for text in (f"{asking}---\n{MAKERS[maker]}", f"{MAKERS[maker]}---\n{asking}"):
        assert not [f for f in findings(text) if f[0] == "reference/secret"]
    elsewhere = asking.replace("name: p,", "name: p, namespace: b,")
    assert [f[0] for f in findings(f"{MAKERS[maker]}---\n{elsewhere}")].count(
        "reference/secret"
    ) == 1
    misread = MAKERS[maker].replace("x", "[x]") + f"---\n{asking}"
    assert "reference/secret" in [f[0] for f in findings(misread)]


def test_an_ingress_of_cert_manager_needs_no_secret_of_its_own() -> None:
    text = MAKERS["an Ingress of cert-manager"] + "---\n" + pod("ports: []")
    assert "reference/tls" not in [f[0] for f in findings(text)]
    without = text.replace("cert-manager.io/cluster-issuer", "example.com/issuer")
    assert "reference/tls" in [f[0] for f in findings(without)]


def test_every_namespace_has_the_certificates_of_the_api_server() -> None:
    assert not findings(pod("envFrom: [{configMapRef: {name: kube-root-ca.crt}}]"))
