"""The tables of numbers that hold a set answer as dictionaries of objects would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.gitops.validate.references.firsts import Firsts
from reconciler.gitops.validate.references.labels import Labels

_labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy")).map(
    lambda found: tuple(found.items())
)
_ports = st.frozensets(st.sampled_from(["http", "metrics"]))
_namespaces = st.sampled_from(["one", "two"])


@given(st.lists(st.integers(-5, 200) | st.integers(-(2**63), 2**63 - 1), max_size=300))
def test_who_was_first_stays_first(hashes: list[int]) -> None:
    table, expected = Firsts(), dict[int, int]()
    for number, hashed in enumerate(hashes):
        assert table.find(hashed) == expected.get(hashed)
        assert table.add(hashed, number) == expected.setdefault(hashed, number)
    assert all(table.find(hashed) == number for hashed, number in expected.items())
    assert len(table) == len(expected)


@given(st.lists(st.tuples(_namespaces, _labels, _ports)), _namespaces, _labels)
def test_a_selector_selects_all_pods_that_have_its_labels(
    pods: list[tuple[str, tuple[tuple[str, str], ...], frozenset[str]]],
    namespace: str,
    selector: tuple[tuple[str, str], ...],
) -> None:
    if not selector:
        return
    table = Labels()
    for pod in pods:
        table.add(*pod)
    expected = {p for n, labels, p in pods if n == namespace and set(selector) <= set(labels)}
    assert set(table.select(namespace, selector)) == expected
