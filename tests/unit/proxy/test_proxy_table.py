"""The routing table: what is listened on, and where new connections go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.clock import LoopClock, run_virtual
from reconciler.proxy.balance import Balancer
from reconciler.proxy.ingress import IngressTable, normal_path
from reconciler.proxy.listeners import Endpoint, Listener, PortKey
from reconciler.proxy.table import RoutingTable, ports_of
from tests.unit.proxy.conftest import INGRESS_CLASS, ingress, service, slice_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object

WEB = ("default", "web")
KEY = PortKey("default", "web", "")


def endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


def backends(*endpoints: dict[str, Any]) -> list[str]:
    table = RoutingTable()
    table.set_service(WEB, service())
    table.set_slice(WEB, "s", slice_of("web", *endpoints))
    return [e.address for e in table.backends(KEY)]


def test_only_ready_endpoints_get_new_connections() -> None:
    """Covers S16."""
    assert backends(
        endpoint("1.1.1.1", ready=True),
        endpoint("1.1.1.2", ready=False, serving=False),
        endpoint("1.1.1.3", ready=False, serving=True, terminating=True),
    ) == ["1.1.1.1"]
    assert backends({"addresses": ["1.1.1.1"]}) == ["1.1.1.1"]  # unknown counts as ready


def test_where_none_is_ready_those_that_end_but_serve_do() -> None:
    """Covers S16."""
    assert backends(
        endpoint("1.1.1.2", ready=False, serving=False, terminating=True),
        endpoint("1.1.1.3", ready=False, serving=True, terminating=True),
    ) == ["1.1.1.3"]


def test_addresses_that_are_published_unready_get_connections() -> None:
    table = RoutingTable()
    table.set_service(WEB, service(publishNotReadyAddresses=True))
    table.set_slice(WEB, "s", slice_of("web", endpoint("1.1.1.1", ready=False, serving=False)))
    assert [e.address for e in table.backends(KEY)] == ["1.1.1.1"]


def at(table: RoutingTable, listener: Listener) -> list[str]:
    """Return where a listener's connections go."""
    port = table.behind(listener)
    return [e.address for e in table.backends(port.key)] if port is not None else []


def test_local_policies_lead_to_pods_of_the_node_only() -> None:
    """An endpoint that was written by hand is on no node. Covers S17."""
    inside, outside = Listener("127.96.0.1", 80, "TCP"), Listener("", 30080, "TCP", outside=True)
    here = {**endpoint("1.1.1.1", ready=True), "nodeName": "here"}
    elsewhere = endpoint("1.1.1.2", ready=True)
    node_port: dict[str, Any] = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}
    table = RoutingTable()
    table.set_slice(WEB, "s", slice_of("web", here, elsewhere))
    table.set_service(WEB, service(**node_port))
    assert at(table, inside) == at(table, outside) == ["1.1.1.1", "1.1.1.2"]
    table.set_service(WEB, service(**node_port, externalTrafficPolicy="Local"))
    assert at(table, inside) == ["1.1.1.1", "1.1.1.2"]
    assert at(table, outside) == ["1.1.1.1"]
    table.set_service(WEB, service(**node_port, internalTrafficPolicy="Local"))
    assert at(table, inside) == ["1.1.1.1"]
    assert at(table, outside) == ["1.1.1.1", "1.1.1.2"]
    table.set_slice(WEB, "s", slice_of("web", elsewhere))
    assert at(table, inside) == []
    assert at(table, outside) == ["1.1.1.2"]


def test_external_addresses_are_listened_on_at_the_services_port() -> None:
    table = RoutingTable()
    table.set_service(WEB, service(externalIPs=["192.0.2.5"]))
    table.set_slice(WEB, "s", slice_of("web", "1.1.1.1"))
    assert at(table, Listener("192.0.2.5", 80, "TCP", outside=True)) == ["1.1.1.1"]


def test_affinity_is_forgotten_after_its_time_without_a_connection() -> None:
    """Covers S07."""

    async def story() -> None:
        clock = LoopClock()
        table = RoutingTable()
        config = {"clientIP": {"timeoutSeconds": 60}}
        table.set_service(WEB, service(sessionAffinity="ClientIP", sessionAffinityConfig=config))
        table.set_slice(WEB, "s", slice_of("web", "1.1.1.1", "1.1.1.2"))
        balancer = Balancer(table, clock)
        port = table.find_port("default", "web", 80)
        assert port is not None
        first = balancer.choose(port, "client")
        for _ in range(5):
            await clock.sleep(59)
            assert balancer.choose(port, "client") == first
        await clock.sleep(60)
        assert balancer.choose(port, "client") != first
        unset = service(sessionAffinity="ClientIP")
        assert ports_of(unset)[0].affinity_seconds == 10_800

    run_virtual(story())


def test_what_leaves_is_drained() -> None:
    table = RoutingTable()
    table.set_service(WEB, service())
    table.set_slice(WEB, "s", slice_of("web", "1.1.1.1", "1.1.1.2"))
    change = table.set_slice(WEB, "s", slice_of("web", "1.1.1.2"))
    assert change.drained == {Endpoint("1.1.1.1", 8080)}


def test_the_slices_port_of_the_services_ports_name_is_the_target() -> None:
    table = RoutingTable()
    ports = [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]
    table.set_service(WEB, service(ports=ports))
    table.set_slice(WEB, "a", slice_of("web", "1.1.1.1", port=8080, port_name="http"))
    table.set_slice(WEB, "b", slice_of("web", "1.1.1.1", port=9000, port_name="admin"))
    admin = table.find_port("default", "web", "admin")
    assert admin is not None
    assert table.backends(admin.key) == (Endpoint("1.1.1.1", 9000),)


def test_what_is_listened_on() -> None:
    def listeners(**spec: Any) -> set[Listener]:
        table = RoutingTable()
        return set(table.set_service(WEB, service(**spec)).added)

    inside = Listener("127.96.0.1", 80, "TCP")
    assert listeners() == {inside}
    assert listeners(clusterIP="None") == set()
    assert listeners(type="ExternalName", externalName="a.test") == set()
    node = [{"port": 80, "nodePort": 30080}]
    assert listeners(type="NodePort", ports=node) == {
        inside,
        Listener("", 30080, "TCP", outside=True),
    }
    assert Listener("", 80, "TCP", outside=True) in listeners(type="LoadBalancer")


def test_of_two_services_that_want_one_port_the_older_has_it_until_it_goes() -> None:
    table = RoutingTable()
    outside = Listener("", 80, "TCP", outside=True)
    younger = service("b", type="LoadBalancer", clusterIP="127.96.0.2")
    younger["metadata"]["creationTimestamp"] = "2026-02-02"
    table.set_service(("default", "b"), younger)
    assert table.set_service(WEB, service(type="LoadBalancer")).added == {
        Listener("127.96.0.1", 80, "TCP")
    }
    assert table.conflicts() == {outside: (("default", "b"),)}
    change = table.set_service(WEB, None)
    assert outside not in change.removed
    found = table.behind(outside)
    assert found is not None
    assert found.key.name == "b"


def ours(*ingresses: Object) -> IngressTable:
    table = IngressTable()
    table.set_class("reconciler", INGRESS_CLASS)
    for obj in ingresses:
        table.set_ingress((obj["metadata"]["namespace"], obj["metadata"]["name"]), obj)
    return table


def goes(table: IngressTable, host: str, path: str) -> str | None:
    found = table.match(host, path)
    return found.service if found else None


@pytest.mark.parametrize(
    ("path", "kind", "request_", "matches"),
    [
        ("/foo", "Exact", "/foo", True),
        ("/foo", "Exact", "/foo/", False),
        ("/foo", "Exact", "/Foo", False),
        ("/foo", "Prefix", "/foo", True),
        ("/foo", "Prefix", "/foo/", True),
        ("/foo", "Prefix", "/foo/bar", True),
        ("/foo", "Prefix", "/foobar", False),
        ("/foo/", "Prefix", "/foo", True),
        ("/foo/", "Prefix", "/foo/bar", True),
        ("/", "Prefix", "/anything", True),
        ("", "ImplementationSpecific", "/anything", True),
        ("/aaa/bb", "Prefix", "/aaa/bbb", False),
    ],
)
def test_paths(path: str, kind: str, request_: str, matches: bool) -> None:
    """I03 to I06, I08: element by element, case-sensitive."""
    table = ours(ingress(("", path, kind, "web")))
    assert goes(table, "a.test", request_) == ("web" if matches else None)


def test_the_longest_path_wins_and_exact_before_prefix() -> None:
    """I07."""
    table = ours(
        ingress(
            ("", "/", "Prefix", "root"),
            ("", "/a", "Prefix", "prefix"),
            ("", "/a/b", "Prefix", "longer"),
            ("", "/a", "Exact", "exact"),
        )
    )
    assert [goes(table, "h", p) for p in ("/", "/a", "/a/", "/a/b/c")] == [
        "root", "exact", "prefix", "longer",
    ]  # fmt: skip


def test_hosts() -> None:
    """I09, I10: exact before wildcard before any; a wildcard stands for one label."""
    table = ours(
        ingress(
            ("foo.test", "/", "Prefix", "exact"),
            ("*.test", "/", "Prefix", "wildcard"),
            defaultBackend={"service": {"name": "default", "port": {"number": 80}}},
        )
    )
    assert goes(table, "FOO.test", "/") == "exact"
    assert goes(table, "bar.test", "/") == "wildcard"
    assert goes(table, "a.bar.test", "/") == "default"
    assert goes(table, "test", "/") == "default"
    assert goes(table, ".test", "/") == "default"


def test_classes() -> None:
    """I12: only Ingresses of our class are served; one without a class where ours is the default."""
    table = ours(ingress(("", "/", "Prefix", "other"), ingressClassName="nginx"))
    assert goes(table, "h", "/") is None
    table.set_class("nginx", {**INGRESS_CLASS, "metadata": {"name": "nginx"}})
    assert goes(table, "h", "/") == "other"
    table.set_class("nginx", None)
    assert goes(table, "h", "/") is None
    table.set_ingress(
        ("default", "web"), ingress(("", "/", "Prefix", "plain"), ingressClassName=None)
    )
    assert goes(table, "h", "/") is None
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}
    table.set_class(
        "reconciler", {**INGRESS_CLASS, "metadata": {"name": "reconciler", "annotations": default}}
    )
    assert goes(table, "h", "/") == "plain"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/b?c=/../d", "/a/b"),
        ("/public/../admin", "/admin"),
        ("/public/%2e%2E/admin/.", "/admin/"),
        ("/a/..", "/"),
        ("/..", None),
        ("/%41%2f..", "/A%2f.."),
        ("*", "*"),
        ("/a//b", "/a//b"),
    ],
)
def test_dot_segments_cannot_get_past_a_rule(target: str, path: str | None) -> None:
    assert normal_path(target) == path


hosts = st.sampled_from(["", "a.test", "*.test"])
paths = st.sampled_from(["/", "/a", "/a/b"])
rules = st.lists(
    st.tuples(hosts, paths, st.sampled_from(["Exact", "Prefix"]), st.sampled_from(["x", "y"])),
    max_size=3,
)
changes = st.lists(
    st.one_of(
        st.tuples(
            st.just("service"), st.sampled_from("abc"), st.none() | st.sampled_from([80, 81])
        ),
        st.tuples(st.just("slice"), st.sampled_from("abc"), st.none() | st.integers(0, 3)),
        st.tuples(st.just("ingress"), st.sampled_from("abc"), st.none() | rules),
        st.tuples(st.just("class"), st.just("reconciler"), st.none() | st.just(0)),
    ),
    max_size=20,
)


def apply(table: RoutingTable, what: str, name: str, value: Any) -> tuple[set[Any], set[Any]]:
    place = ("default", name)
    added: set[Any] = set()
    removed: set[Any] = set()
    if what == "service":
        made = None
        if value is not None:
            made = service(name, value, type="LoadBalancer", clusterIP=f"10.0.0.{ord(name)}")
        change = table.set_service(place, made)
        added, removed = set(change.added), set(change.removed)
    elif what == "slice":
        made = None if value is None else slice_of(name, *(f"1.1.1.{n}" for n in range(value)))
        table.set_slice(place, f"{name}-x", made)
    elif what == "ingress":
        table.ingress.set_ingress(place, None if value is None else ingress(*value, name=name))
    else:
        table.ingress.set_class(name, None if value is None else INGRESS_CLASS)
    return added, removed


@given(changes)
def test_changed_step_by_step_or_made_anew_is_the_same(steps: list[tuple[str, str, Any]]) -> None:
    table, last = RoutingTable(), {}
    listening: set[Any] = set()
    for what, name, value in steps:
        added, removed = apply(table, what, name, value)
        assert not added & listening
        assert removed <= listening
        listening = (listening | added) - removed
        assert listening == set(table.listeners())
        last[what, name] = value
    anew = RoutingTable()
    for (what, name), value in sorted(last.items(), key=lambda e: e[0]):
        apply(anew, what, name, value)
    assert table.listeners() == anew.listeners()
    assert table.conflicts() == anew.conflicts()
    assert table.ingress.rules() == anew.ingress.rules()
    for port in anew.listeners().values():
        assert set(table.backends(port.key)) == set(anew.backends(port.key))
