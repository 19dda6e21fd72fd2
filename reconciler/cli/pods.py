"""Finding the Pod that a user means: by its name, or by the workload it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.api import kinds, selectors
from reconciler.cli import names
from reconciler.errors import NotFound

if TYPE_CHECKING:
    from reconciler.client import HttpClient


async def pod_name(client: HttpClient, word: str, namespace: str) -> str:
    """Return a Pod's name; ``deploy/web`` is one of its Pods, a running one where there is one."""
    if "/" not in word:
        return word
    kind, name = names.targets((word,))[0]
    if kind is kinds.POD:
        return name
    obj = await client.get(kind, name, namespace)
    wanted = (obj.get("spec") or {}).get("selector")
    selector = (
        selectors.from_labels(wanted) if kind is kinds.SERVICE else selectors.from_object(wanted)
    )
    pods = (await client.list(kinds.POD, namespace, labels=str(selector))).items
    if not pods:
        raise NotFound(f"{word} has no Pods")
    running = [p for p in pods if (p.get("status") or {}).get("phase") == "Running"]
    return str((running or pods)[0]["metadata"]["name"])


async def say_default(client: HttpClient, pod: str, namespace: str) -> None:
    """Say on standard error which container is meant where none was named and there are several, as kubectl does."""
    obj = await client.get(kinds.POD, pod, namespace)
    spec, annotations = obj["spec"], obj["metadata"].get("annotations") or {}
    own = [c["name"] for c in spec["containers"]]
    others = [
        f"{c['name']} ({what})"
        for field, what in (("ephemeralContainers", "ephem"), ("initContainers", "init"))
        for c in spec.get(field) or ()
    ]
    if len(own) + len(others) > 1:
        meant = annotations.get("kubectl.kubernetes.io/default-container") or own[0]
        out_of = ", ".join([*own, *others])
        click.echo(f'Defaulted container "{meant}" out of: {out_of}', err=True)
