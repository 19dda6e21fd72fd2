"""What controllers of others make of an object: it need not lie in the set. Pure.

Only what is asked for by name is known: the Secret of a SealedSecret, an ExternalSecret, a Certificate. What such a Secret holds
is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import GroupVersionKind, Key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

#: Where a kind says what its Secret is called, the first of the paths that says so; ``()`` is its own name.
_SECRETS: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("bitnami.com", "SealedSecret"): (("spec", "template", "metadata", "name"), ()),
    ("cert-manager.io", "Certificate"): (("spec", "secretName"),),
    ("external-secrets.io", "ExternalSecret"): (("spec", "target", "name"), ()),
    ("onepassword.com", "OnePasswordItem"): ((),),
    ("secrets.hashicorp.com", "VaultDynamicSecret"): (("spec", "destination", "name"),),
    ("secrets.hashicorp.com", "VaultPKISecret"): (("spec", "destination", "name"),),
    ("secrets.hashicorp.com", "VaultStaticSecret"): (("spec", "destination", "name"),),
    ("secrets.infisical.com", "InfisicalSecret"): (("spec", "managedSecretReference", "secretName"),),
}  # fmt: skip

#: An Ingress with one of these has the certificates that it names made by cert-manager.
_ISSUERS = ("cert-manager.io/cluster-issuer", "cert-manager.io/issuer", "kubernetes.io/tls-acme")

#: What Kubernetes itself puts into every namespace.
ROOT_CERTIFICATES = "kube-root-ca.crt"


def made_of(obj: Object, namespace: str) -> Iterator[Key]:
    """Yield the Secrets that will be there because of an object."""
    gvk = GroupVersionKind.of(obj)
    if gvk.kind == "Ingress" and gvk.group == "networking.k8s.io":
        annotations = (obj.get("metadata") or {}).get("annotations") or {}
        if any(issuer in annotations for issuer in _ISSUERS):
            for entry in (obj.get("spec") or {}).get("tls") or ():
                if entry.get("secretName"):
                    yield Key("", "Secret", namespace, entry["secretName"])
    elif gvk.kind == "SecretProviderClass" and gvk.group == "secrets-store.csi.x-k8s.io":
        for entry in _list(_at(obj, ("spec", "secretObjects"))):
            if isinstance(entry, dict) and isinstance(entry.get("secretName"), str):
                yield Key("", "Secret", namespace, entry["secretName"])
    else:
        for path in _SECRETS.get((gvk.group, gvk.kind), ()):
            name = _at(obj, path or ("metadata", "name"))
            if isinstance(name, str) and name:
                yield Key("", "Secret", namespace, name)
                return


def _at(obj: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        obj = obj.get(part) if isinstance(obj, dict) else None
    return obj


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
