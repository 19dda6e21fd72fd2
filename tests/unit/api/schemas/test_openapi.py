"""OpenAPI of Kubernetes, versions 2 and 3, becomes schemas that accept and refuse what an API server does."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from reconciler.api.objects import GroupVersionKind
from reconciler.api.schemas import Validator, openapi
from reconciler.api.schemas.standalone import references
from reconciler.errors import BadRequest

WIDGET = GroupVersionKind("apps", "v1", "Widget")
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_GVK = [{"group": "apps", "version": "v1", "kind": "Widget"}]


def definitions(prefix: str, *, wrapped: bool) -> dict[str, Any]:
    """Return the same types as version 2 and version 3 write them."""

    def ref(name: str, **beside: Any) -> dict[str, Any]:
        inner = {"$ref": prefix + name}
        return {"allOf": [inner], "default": {}, **beside} if wrapped else inner | beside

    int_or_string: dict[str, Any] = {"type": "string", "format": "int-or-string"}
    quantity: dict[str, Any] = {"type": "string"}
    if wrapped:
        int_or_string = {
            "format": "int-or-string",
            "oneOf": [{"type": "integer"}, {"type": "string"}],
        }
        quantity = {"oneOf": [{"type": "string"}, {"type": "number"}]}
    return {
        "io.k8s.api.apps.v1.Widget": {
            "description": "A widget.",
            "type": "object",
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": ref(_META + "ObjectMeta"),
                "spec": ref("io.k8s.api.apps.v1.WidgetSpec"),
                "status": ref("io.k8s.api.apps.v1.WidgetStatus"),
            },
            "x-kubernetes-group-version-kind": _GVK,
        },
        "io.k8s.api.apps.v1.WidgetSpec": {
            "type": "object",
            "required": ["selector"],
            "properties": {
                "selector": {"type": "object", "additionalProperties": {"type": "string"}},
                "replicas": {"type": "integer", "format": "int32"},
                "port": ref("io.k8s.apimachinery.pkg.util.intstr.IntOrString"),
                "size": ref("io.k8s.apimachinery.pkg.api.resource.Quantity"),
                "policy": {"type": "string", "enum": ["Always", "Never"]},
                "key": {"type": "string", "format": "byte"},
                "parts": {
                    "type": "array",
                    "items": ref("io.k8s.api.apps.v1.WidgetPart"),
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                },
                "raw": ref("io.k8s.apimachinery.pkg.runtime.RawExtension"),
            },
        },
        "io.k8s.api.apps.v1.WidgetPart": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "part": ref("io.k8s.api.apps.v1.WidgetPart"),
            },
        },
        "io.k8s.api.apps.v1.WidgetStatus": {
            "type": "object",
            "required": ["ready"],
            "properties": {"ready": {"type": "integer"}},
        },
        "io.k8s.api.apps.v1.WidgetList": {
            "type": "object",
            "properties": {"metadata": ref(_META + "ListMeta")},
            "x-kubernetes-group-version-kind": [{**_GVK[0], "kind": "WidgetList"}],
        },
        _META + "ListMeta": {"type": "object", "properties": {}},
        _META + "ObjectMeta": {"type": "object", "properties": {"name": {"type": "string"}}},
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString": int_or_string,
        "io.k8s.apimachinery.pkg.api.resource.Quantity": quantity,
        "io.k8s.apimachinery.pkg.runtime.RawExtension": {"type": "object"},
    }


V2 = {"swagger": "2.0", "definitions": definitions("#/definitions/", wrapped=False)}
V3 = {
    "openapi": "3.0.0",
    "components": {"schemas": definitions("#/components/schemas/", wrapped=True)},
}


def widget(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"selector": {"app": "w"}, **spec},
    }


@pytest.fixture(params=[V2, V3, V2["definitions"]], ids=["v2", "v3", "definitions"])
def schema(request: pytest.FixtureRequest) -> dict[str, Any]:
    found = dict(openapi.schemas_of(request.param))
    assert list(found) == [WIDGET]  # a list is no kind
    return found[WIDGET]


def test_it_stands_alone_and_is_a_schema_of_2020_12(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["$id"] == "widget-apps-v1.json"
    assert references(schema) == set(schema["$defs"])


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"replicas": None, "port": None, "parts": None},
        {"port": 80},
        {"port": "http"},
        {"size": "10Gi"},
        {"size": 1.5},
        {"policy": ""},
        {"policy": "Never"},
        {"key": "YQ=="},
        {"raw": {"any": [1]}},
        {"parts": [{"name": "a", "part": {"name": "b"}}]},
    ],
)
def test_what_a_server_takes_is_taken(schema: dict[str, Any], spec: dict[str, Any]) -> None:
    assert Validator(schema).errors(widget(**spec)) == []


@pytest.mark.parametrize(
    ("spec", "path", "keyword"),
    [
        ({"replica": 1}, ("spec", "replica"), "additionalProperties"),
        ({"replicas": "1"}, ("spec", "replicas"), "type"),
        ({"replicas": 2**31}, ("spec", "replicas"), "maximum"),
        ({"port": 1.5}, ("spec", "port"), "type"),
        ({"size": "10GB"}, ("spec", "size"), "pattern"),
        ({"policy": "Sometimes"}, ("spec", "policy"), "enum"),
        ({"key": "plain text"}, ("spec", "key"), "format"),
        ({"parts": [{}]}, ("spec", "parts", 0), "required"),
        ({"selector": None}, ("spec", "selector"), "type"),
        ({"parts": [{"name": "a", "part": {"nam": 1, "name": "b"}}]},
         ("spec", "parts", 0, "part", "nam"), "additionalProperties"),
    ],
)  # fmt: skip
def test_what_a_server_refuses_is_refused(
    schema: dict[str, Any], spec: dict[str, Any], path: tuple[Any, ...], keyword: str
) -> None:
    (error,) = Validator(schema).errors(widget(**spec))
    assert (error.path, error.keyword) == (path, keyword)


def test_nothing_is_asked_of_a_status_for_a_server_drops_it(schema: dict[str, Any]) -> None:
    assert Validator(schema).errors(widget() | {"status": {}}) == []


def test_apiversion_kind_and_metadata_are_asked_for(schema: dict[str, Any]) -> None:
    found = Validator(schema).errors({"apiVersion": "apps/v1", "kind": "Gadget", "metadata": None})
    assert {e.path for e in found} == {("kind",), ("metadata",)}


def test_what_apply_and_patch_need_is_kept(schema: dict[str, Any]) -> None:
    parts = schema["$defs"]["apps.v1.WidgetSpec"]["properties"]["parts"]
    assert parts["x-kubernetes-list-type"] == "map"
    assert parts["x-kubernetes-list-map-keys"] == ["name"]


def test_custom_kinds_in_a_cluster_s_document_are_strict_in_their_own_way() -> None:
    gvk = {"group": "example.org", "version": "v1", "kind": "Cron"}
    body = {
        "type": "object",
        "properties": {
            "metadata": {"allOf": [{"$ref": "#/components/schemas/" + _META + "ObjectMeta"}]},
            "spec": {"type": "object", "properties": {"at": {"type": "string"}}},
        },
        "x-kubernetes-group-version-kind": [gvk],
    }
    given = {**V3["components"]["schemas"], "org.example.v1.Cron": body}  # type: ignore[index]
    found = dict(openapi.schemas_of({"openapi": "3.0.0", "components": {"schemas": given}}))
    check = Validator(found[GroupVersionKind("example.org", "v1", "Cron")])
    good = {"apiVersion": "example.org/v1", "kind": "Cron", "metadata": {"name": "c"}}
    assert check.errors(good | {"spec": {"at": "now"}}) == []
    assert check.errors(good | {"spec": {"at": None}}) == []


def test_a_reference_that_leads_nowhere_is_said() -> None:
    broken = json.loads(json.dumps(V2))
    del broken["definitions"]["io.k8s.api.apps.v1.WidgetStatus"]
    with pytest.raises(BadRequest, match="WidgetStatus"):
        list(openapi.schemas_of(broken))


@pytest.mark.parametrize("document", [{}, {"kind": "List"}, {"openapi": "3.0.0"}, [], None])
def test_what_is_no_openapi_is_told_apart(document: Any) -> None:
    assert not openapi.is_openapi(document)
