"""Which tool makes a source's manifests, and with what: from ``spec.source`` and from what lies at the root. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import RenderError
from reconciler.gitops.source.selection import CHART, KUSTOMIZATIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Kustomize(NamedTuple):
    """``kustomize build`` of a directory of the source."""

    path: str = ""


class Helm(NamedTuple):
    """``helm template`` of a chart in the source. ``values`` win over ``value_files``, later files over earlier ones."""

    path: str
    release: str
    namespace: str
    value_files: tuple[str, ...] = ()
    values: Mapping[str, Any] = {}
    include_crds: bool = False
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


Tool = Kustomize | Helm


def tool_of(
    source: Mapping[str, Any], files: Collection[str], *, name: str, namespace: str
) -> Tool | None:
    """Return what builds a source; None where its files are the manifests. Raises ``RenderError``.

    ``files`` are the paths that the source holds; ``name`` and ``namespace`` are the release's where it names none.
    """
    kustomize, helm = source.get("kustomize"), source.get("helm")
    if kustomize is not None and helm is not None:
        raise RenderError("spec.source names both kustomize and helm: expected one of them")
    if kustomize is not None:
        path = _inside(kustomize.get("path"), "spec.source.kustomize.path")
        if not any(posixpath.join(path, k) in files for k in KUSTOMIZATIONS):
            raise RenderError(f"spec.source.kustomize.path: there is no kustomization.yaml in {path or 'the source'}")  # fmt: skip
        return Kustomize(path)
    if helm is not None:
        path = _inside(helm.get("path"), "spec.source.helm.path")
        if posixpath.join(path, CHART) not in files:
            raise RenderError(f"spec.source.helm.path: there is no Chart.yaml in {path or 'the source'}")  # fmt: skip
        return _helm(helm, path, files, name, namespace)
    if any(k in files for k in KUSTOMIZATIONS):
        return Kustomize()
    return Helm("", name, namespace) if CHART in files else None


def _helm(
    given: Mapping[str, Any], path: str, files: Collection[str], name: str, namespace: str
) -> Helm:
    value_files = []
    for number, one in enumerate(given.get("valueFiles") or ()):
        field = f"spec.source.helm.valueFiles[{number}]"
        # As in Argo CD: from the chart's folder; it may lie beside the chart, not outside of the source.
        file = _inside(posixpath.join(path, str(one)), field)
        if file in files:
            value_files.append(file)
        elif not given.get("ignoreMissingValueFiles"):
            raise RenderError(f"{field}: there is no file {file} in the source")
    return Helm(
        path,
        str(given.get("releaseName") or name),
        str(given.get("namespace") or namespace),
        tuple(value_files),
        given.get("values") or {},
        bool(given.get("includeCRDs")),
        str(given.get("kubeVersion") or ""),
        tuple(map(str, given.get("apiVersions") or ())),
    )


def _inside(given: Any, field: str) -> str:
    """Return a path below the source's root. Raises ``RenderError`` for one that leads out of it."""
    text = str(given or "")
    path = posixpath.normpath(text) if text else ""
    if path.startswith(("/", "../")) or path == ".." or "\0" in path:
        raise RenderError(f"{field}: {text!r} leads out of the source")
    return "" if path == "." else path
