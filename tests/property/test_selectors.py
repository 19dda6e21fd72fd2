"""Label selectors: their text says the same as they do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api import selectors
from reconciler.errors import BadRequest

keys = st.sampled_from(["app", "tier", "example.com/role"])
names = st.sampled_from(["web", "api", "db"])
labels = st.dictionaries(keys, names, max_size=3)
expressions = st.lists(
    st.one_of(
        st.builds(lambda k, o, v: {"key": k, "operator": o, "values": v}, keys, st.sampled_from(["In", "NotIn"]), st.lists(names, min_size=1, max_size=3, unique=True)),
        st.builds(lambda k, o: {"key": k, "operator": o}, keys, st.sampled_from(["Exists", "DoesNotExist"])),
    ),
    max_size=3,
)  # fmt: skip


@given(labels, expressions, labels)
def test_text_and_object_select_the_same(
    match: dict[str, str], asked: list[dict[str, Any]], of: dict[str, str]
) -> None:
    selector = selectors.from_object({"matchLabels": match, "matchExpressions": asked})
    assert selectors.parse(str(selector)).matches(of) == selector.matches(of)


@given(labels, expressions, labels)
def test_a_matcher_says_what_its_selector_says(
    match: dict[str, str], asked: list[dict[str, Any]], of: dict[str, str]
) -> None:
    wholes: tuple[dict[str, Any], ...] = (
        {"matchLabels": match, "matchExpressions": asked},
        {"matchLabels": match},
        {},
    )
    for whole in wholes:
        assert selectors.matcher(whole)(of) == selectors.from_object(whole).matches(of)
    assert not selectors.matcher(None)(of)


@given(labels)
def test_null_matches_nothing_and_empty_everything(of: dict[str, str]) -> None:
    assert not selectors.from_object(None).matches(of)
    assert selectors.from_object({}).matches(of)
    assert not selectors.from_labels({}).matches(of)


@given(labels, labels)
def test_a_service_selects_who_has_all_its_labels(
    wanted: dict[str, str], of: dict[str, str]
) -> None:
    found = selectors.from_labels(wanted).matches(of)
    assert found == (bool(wanted) and wanted.items() <= of.items())


@pytest.mark.parametrize("text", ["a=b=c", "a in x", "=a", "a,,b", "a in (x"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        selectors.parse(text)
