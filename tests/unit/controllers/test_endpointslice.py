"""EndpointSlices: who can be reached where, and which slices are written for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api import kinds
from reconciler.api.decision import Create, Update
from reconciler.api.objects import Key, labels_of, meta
from reconciler.controllers.endpointslice import MAX_ENDPOINTS, EndpointSliceController
from tests.unit.controllers.snapshot import World

if TYPE_CHECKING:
    from reconciler.api.objects import Object

_KEY = Key("", "Service", "default", "web")


def _service(world: World, **spec: Any) -> None:
    body = {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}
    about = {"name": "web", "namespace": "default", "labels": {"team": "a"}}
    world.add({"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": body})


def _pod(world: World, name: str, *, ready: bool = True, port: int = 8080, **about: Any) -> Key:
    status = {
        "phase": about.pop("phase", "Running"),
        "podIP": about.pop("ip", f"10.0.{len(world.objects) // 250}.{len(world.objects) % 250}"),
        "conditions": [{"type": "Ready", "status": str(ready)}],
    }
    ports = [{"name": "http", "containerPort": port}]
    spec = {"containers": [{"name": "c", "ports": ports}], **about.pop("spec", {})}
    metadata = {"name": name, "namespace": "default", "labels": {"app": "web"}, **about}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
    return Key.of(world.add(pod))


def _plan(world: World) -> list[Any]:
    decision = EndpointSliceController().plan(_KEY, world, world.now)
    world.perform(decision)
    return list(decision.actions)


def _slices(world: World) -> list[Object]:
    return world.list(kinds.ENDPOINT_SLICE)


def _endpoints(world: World) -> dict[str, dict[str, Any]]:
    return {e["targetRef"]["name"]: e for s in _slices(world) for e in s["endpoints"]}


def test_each_pod_that_can_be_reached_has_an_endpoint() -> None:
    """S08, S10: not one that has ended, nor one without an address."""
    world = World()
    _service(world)
    _pod(world, "a")
    _pod(world, "done", phase="Succeeded")
    _pod(world, "failed", phase="Failed")
    _pod(world, "new", ip="")
    _plan(world)
    assert list(_endpoints(world)) == ["a"]
    assert not _plan(world)


def test_nobody_to_reach_is_one_slice_without_endpoints() -> None:
    """S08."""
    world = World()
    _service(world)
    _plan(world)
    (one,) = _slices(world)
    assert one["endpoints"] == []
    assert not _plan(world)


@pytest.mark.parametrize(
    ("ready", "going", "anyway", "expected"),
    [
        (True, False, False, (True, True, False)),
        (False, False, False, (False, False, False)),
        (True, True, False, (False, True, True)),
        (False, True, False, (False, False, True)),
        (False, False, True, (True, False, False)),
        (True, True, True, (True, True, True)),
    ],
)
def test_conditions(ready: bool, going: bool, anyway: bool, expected: tuple[bool, ...]) -> None:
    """S09, D08: ready, serving, terminating."""
    world = World()
    _service(world, publishNotReadyAddresses=anyway)
    about: dict[str, Any] = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if going else {}
    _pod(world, "a", ready=ready, **about)
    _plan(world)
    found = _endpoints(world)["a"]["conditions"]
    assert (found["ready"], found["serving"], found["terminating"]) == expected


def test_a_named_port_is_each_pod_s_own() -> None:
    """S11: other numbers, other slices; a Pod without the port is left out."""
    world = World()
    _service(world, ports=[{"name": "web", "port": 80, "targetPort": "http"}])
    _pod(world, "a", port=8080)
    _pod(world, "b", port=9090)
    _pod(world, "c", spec={"containers": [{"name": "c"}]})
    _plan(world)
    numbers = {s["ports"][0]["port"]: len(s["endpoints"]) for s in _slices(world)}
    assert numbers == {8080: 1, 9090: 1}
    assert all(s["ports"][0]["name"] == "web" for s in _slices(world))


@pytest.mark.parametrize("headless", [False, True])
def test_what_a_slice_says_of_itself(headless: bool) -> None:
    """S12: and a Pod with a host name of the Service is named (S19)."""
    world = World()
    _service(world, **({"clusterIP": "None"} if headless else {}))
    _pod(world, "a", spec={"hostname": "a", "subdomain": "web", "nodeName": "here"})
    (create,) = _plan(world)
    assert create.obj["metadata"]["generateName"] == "web-"
    (one,) = _slices(world)
    extra = {"service.kubernetes.io/headless": ""} if headless else {}
    assert labels_of(one) == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        **extra,
    }
    (ref,) = meta(one)["ownerReferences"]
    assert (ref["kind"], ref["name"], ref["controller"]) == ("Service", "web", True)
    (endpoint,) = one["endpoints"]
    assert (endpoint["hostname"], endpoint["nodeName"]) == ("a", "here")


def test_a_change_costs_the_slices_that_change() -> None:
    """S13: the new one goes where something changes anyway, then where most fits, else into a new slice."""
    world = World()
    _service(world)
    keys = [_pod(world, f"p{n:03}") for n in range(MAX_ENDPOINTS * 2)]
    _plan(world)
    assert sorted(len(s["endpoints"]) for s in _slices(world)) == [MAX_ENDPOINTS] * 2
    del world.objects[keys[0]]
    _pod(world, "new")
    actions = _plan(world)
    assert [type(a) for a in actions] == [Update]
    _pod(world, "newer")
    assert [type(a) for a in _plan(world)] == [Create]
    assert sum(len(s["endpoints"]) for s in _slices(world)) == MAX_ENDPOINTS * 2 + 1


def test_no_slices_where_none_are_asked_for() -> None:
    """S15, S21: without a selector they are made by hand, and an ExternalName has none."""
    for spec in ({"selector": None}, {"type": "ExternalName"}):
        world = World()
        _service(world, **spec)
        _pod(world, "a")
        assert not _plan(world)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(["add", "remove", "unready"])), max_size=40
    )
)
def test_slices_always_say_what_is(story: list[tuple[int, str]]) -> None:
    """Each Pod exactly once, none in more than its slice, and a plan that is performed decides nothing more."""
    world = World()
    _service(world)
    for number, what in story:
        key = Key("", "Pod", "default", f"p{number}")
        if what == "add" and key not in world.objects:
            _pod(world, key.name)
        elif what == "remove":
            world.objects.pop(key, None)
        elif key in world.objects:
            pod = world.objects[key]
            status = {**pod["status"], "conditions": []}
            world.objects[key] = {**pod, "status": status}
        if number % 3 == 0:
            _plan(world)
    _plan(world)
    listed = [e["targetRef"]["name"] for s in _slices(world) for e in s["endpoints"]]
    assert sorted(listed) == sorted(k.name for k in world.objects if k.kind == "Pod")
    assert not _plan(world)
