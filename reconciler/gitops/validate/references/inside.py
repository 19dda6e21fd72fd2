"""What one document says of itself that cannot be: volumes nobody mounts, probes of ports that there are not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.render.reader import Path

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_FIELDS = ("initContainers", "containers")


def check_inside(document: Document) -> Iterator[Finding]:
    """Yield a finding for what a Pod's spec names within itself in vain."""
    found = pod_spec_of(document.object)
    if found is None:
        return
    path, spec = found
    mounted: set[str | None] = set()
    for field in _FIELDS:
        for index, container in enumerate(spec.get(field) or ()):
            mounted.update(m.get("name") for m in container.get("volumeMounts") or ())
            mounted.update(d.get("name") for d in container.get("volumeDevices") or ())
            yield from _probes(document, container, (*path, field, index))
    for index, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("name") not in mounted:
            told = f"volume {volume.get('name')} is mounted by no container"
            where = (*path, "volumes", index, "name")
            yield document.finding("reference/unmounted-volume", "warning", told, where)


def _probes(document: Document, container: dict[str, Any], path: Path) -> Iterator[Finding]:
    for field in _PROBES:
        probe = container.get(field)
        if not probe:
            continue
        for handler in ("httpGet", "tcpSocket"):
            port = (probe.get(handler) or {}).get("port")
            if not isinstance(port, str):
                continue
            known = sorted(p["name"] for p in container.get("ports") or () if p.get("name"))
            if port not in known:
                has = ", ".join(known) or "none"
                told = f'container {container.get("name")} has no port named "{port}": it has {has}'
                yield document.finding(
                    "reference/probe-port", "warning", told, (*path, field, handler, "port"),
                    expected=f"one of {has}", got=port,
                )  # fmt: skip
