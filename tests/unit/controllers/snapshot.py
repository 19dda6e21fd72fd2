"""A whole world in dicts: a Snapshot, and the performing of Decisions on it. No Client, no loop, no time of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.decision import Action, Create, Delete, Patch, Update, UpdateStatus
from reconciler.api.objects import (
    Key,
    copy,
    labels_of,
    meta,
)
from reconciler.clock import SeededEntropy, rfc3339
from reconciler.errors import AlreadyExists, ApiError, Forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.api.decision import Controller, Decision
    from reconciler.api.objects import Object


class World:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.objects: dict[Key, Object] = {}
        self.now = now
        self.entropy = SeededEntropy(7)
        self.notices: list[str] = []
        self.refused: set[str] = set()  # kinds that cannot be created now

    # Snapshot
    def get(self, kind: kinds.Kind, namespace: str, name: str) -> Object | None:
        return self.objects.get(Key(kind.group, kind.kind, namespace, name))

    def list(self, kind: kinds.Kind, namespace: str | None = None) -> list[Object]:
        return [
            obj
            for key, obj in sorted(self.objects.items())
            if (key.group, key.kind) == (kind.group, kind.kind)
            and namespace in (None, key.namespace)
        ]

    def owned(self, kind: kinds.Kind, uid: str) -> Sequence[Object]:
        return [
            obj
            for obj in self.list(kind)
            if any(r.get("uid") == uid for r in meta(obj).get("ownerReferences") or ())
        ]

    def matching(
        self, kind: kinds.Kind, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[Object]:
        return [o for o in self.list(kind, namespace) if labels.items() <= labels_of(o).items()]

    def selecting(
        self, kind: kinds.Kind, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[Object]:
        del labels
        return self.list(kind, namespace)

    def kinds(self) -> tuple[kinds.Kind, ...]:
        return kinds.KINDS

    # Performing
    def add(self, obj: Object) -> Object:
        obj = copy(obj)
        about = obj.setdefault("metadata", {})
        if "name" not in about:
            about["name"] = about["generateName"] + self.entropy.suffix()
        about.setdefault("uid", self.entropy.uid())
        about.setdefault("creationTimestamp", rfc3339(self.now))
        about.setdefault("generation", 1)
        key = Key.of(obj)
        if key in self.objects:
            raise AlreadyExists(f"{key} exists")
        if key.kind in self.refused:
            raise Forbidden(f"{key} is forbidden: exceeded quota")
        self.objects[key] = obj
        return obj

    def perform(self, decision: Decision) -> None:
        """Perform a decision as the executor does: what follows a failure is dropped, its last word is not."""
        for step in decision.actions:
            for action in (step,) if isinstance(step, Action) else step:
                try:
                    self._one(action)
                except ApiError as error:
                    if decision.on_error is not None:
                        self.perform(decision.on_error(action, error))
                    return
        self.notices += [n.message for n in decision.events]

    def _one(self, action: Action) -> None:
        match action:
            case Create(obj):
                self.add(obj)
            case Update(obj):
                self.objects[Key.of(obj)] = copy(obj)
            case Patch():
                key = _key(action)
                self._put(key, _merge(self.objects[key], action.patch))
            case UpdateStatus():
                key = _key(action)
                self.objects[key] = {**self.objects[key], "status": copy(action.status)}
            case Delete():
                self.delete(_key(action))
            case _:
                assert self.get(action.kind, action.namespace, action.name) is None

    def _put(self, key: Key, obj: Object) -> None:
        about = meta(obj)
        if about.get("deletionTimestamp") and not about.get("finalizers"):
            self.objects.pop(key, None)
        else:
            self.objects[key] = obj

    def delete(self, key: Key) -> None:
        """Delete as the registry does where no grace is asked for: finalizers hold an object."""
        obj = self.objects.get(key)
        if obj is not None:
            self._put(key, _merge(obj, {"metadata": {"deletionTimestamp": rfc3339(self.now)}}))

    def change(self, key: Key, **spec: Any) -> None:
        """Change an object's spec, as a user would."""
        obj = self.objects[key]
        number = int(meta(obj).get("generation") or 1) + 1
        self.objects[key] = _merge(obj, {"metadata": {"generation": number}, "spec": spec})

    def end_pod(self, pod: Object, code: int = 0, **status: Any) -> None:
        """Play the kubelet: a Pod's container ends with an exit code."""
        ended = {"exitCode": code, "finishedAt": rfc3339(self.now)}
        name = pod["spec"]["containers"][0]["name"]
        found = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": name, "state": {"terminated": ended}}],
            **status,
        }
        self.objects[Key.of(pod)] = {**self.objects[Key.of(pod)], "status": found}

    def settle(self, *controllers: Controller, limit: int = 200) -> None:
        """Plan every key of these controllers until none decides anything."""
        for _ in range(limit):
            acted = [self.step(controller) for controller in controllers]
            if not any(acted):
                return
        raise AssertionError("the world never comes to rest")

    def step(self, controller: Controller) -> bool:
        kind = controller.watches[0].kind
        acted = False
        for obj in self.list(kind):
            decision = controller.plan(Key.of(obj), self, self.now)
            acted |= bool(decision.actions)
            self.perform(decision)
        return acted

    def run_pods(self, *, ready: bool = True, broken: str = "") -> None:
        """Play the kubelet: Pods run, and are ready unless their image is the broken one."""
        for pod in self.list(kinds.POD):
            good = ready and pod["spec"]["containers"][0].get("image") != broken
            if (pod.get("status") or {}).get("podIP"):
                continue
            status = {
                "phase": "Running",
                "podIP": f"10.0.0.{len(self.objects)}",
                "conditions": [
                    {
                        "type": "Ready",
                        "status": str(good),
                        "lastTransitionTime": rfc3339(self.now),
                    }
                ],
            }
            self.objects[Key.of(pod)] = {**pod, "status": status}


def _key(action: Patch | UpdateStatus | Delete) -> Key:
    return Key(action.kind.group, action.kind.kind, action.namespace, action.name)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for field, value in patch.items():
        if value is None:
            result.pop(field, None)
        else:
            result[field] = _merge(result.get(field), value)
    return result


def workload(kind: str, replicas: int, image: str = "one", **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
            **spec,
        },
    }


def pods(world: World, image: str = "") -> list[Object]:
    return [
        pod
        for pod in world.list(kinds.POD)
        if not image or pod["spec"]["containers"][0]["image"] == image
    ]
