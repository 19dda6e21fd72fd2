"""Services, Ingresses and their like as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.tables.layout import Cells, Columns, selector_text, spec_of, status_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def _service(obj: Object) -> Cells:
    spec = spec_of(obj)
    ports = ",".join(
        f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}/{p.get('protocol', 'TCP')}"
        for p in spec.get("ports") or ()
    )
    outside = "<none>"
    if spec.get("type") == "LoadBalancer":
        outside = _balancer(obj) or "<pending>"
    elif spec.get("type") == "ExternalName":
        outside = spec.get("externalName", "")
    return [
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or "<none>",
        outside,
        ports or "<none>",
    ]


def _balancer(obj: Object) -> str:
    found = (status_of(obj).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(i.get("ip") or i.get("hostname", "") for i in found)


def _ingress(obj: Object) -> Cells:
    spec = spec_of(obj)
    hosts = ",".join(dict.fromkeys(r.get("host") or "*" for r in spec.get("rules") or ())) or "*"
    ports = "80, 443" if spec.get("tls") else "80"
    return [spec.get("ingressClassName") or "<none>", hosts, _balancer(obj), ports]


def _slice(obj: Object) -> Cells:
    ports = ",".join(str(p.get("port", "<unset>")) for p in obj.get("ports") or ()) or "<unset>"
    addresses = [a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    shown = ",".join(addresses[:3]) + (
        f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    )
    return [obj.get("addressType", ""), ports, shown or "<unset>"]


def _ingress_class(obj: Object) -> Cells:
    ref = spec_of(obj).get("parameters") or {}
    kind = f"{ref.get('kind')}.{ref['apiGroup']}" if ref.get("apiGroup") else ref.get("kind")
    return [spec_of(obj).get("controller", ""), f"{kind}/{ref.get('name')}" if ref else "<none>"]


COLUMNS: dict[tuple[str, str], Columns] = {
    ("v1", "Service"): Columns(
        ("TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)"), _service,
        ("SELECTOR",), lambda o: [selector_text(spec_of(o).get("selector"))],
    ),
    ("networking.k8s.io/v1", "Ingress"): Columns(("CLASS", "HOSTS", "ADDRESS", "PORTS"), _ingress),
    ("networking.k8s.io/v1", "IngressClass"): Columns(
        ("CONTROLLER", "PARAMETERS"), _ingress_class
    ),
    ("discovery.k8s.io/v1", "EndpointSlice"): Columns(("ADDRESSTYPE", "PORTS", "ENDPOINTS"), _slice),
}  # fmt: skip
