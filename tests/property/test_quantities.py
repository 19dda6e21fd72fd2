"""Quantities are exact and ordered; int-or-string rounds as asked."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api.int_or_string import scaled
from reconciler.api.quantities import millicores, parse, size_bytes


@given(st.integers(0, 10**12), st.sampled_from(["m", "", "k", "M", "Ki", "Mi", "Gi"]))
def test_a_suffix_is_a_factor(number: int, suffix: str) -> None:
    factor = parse(f"1{suffix}")
    assert parse(f"{number}{suffix}") == number * factor


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_order_is_that_of_the_numbers(left: int, right: int) -> None:
    assert (parse(f"{left}m") < parse(f"{right}m")) == (left < right)
    assert millicores(f"{left}m") == left
    assert size_bytes(left) == left


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", Fraction(1, 2)), (".5", Fraction(1, 2)), ("1e3", Fraction(1000)), ("1E", Fraction(10**18)),
     ("12E2", Fraction(1200)), ("-1.5Gi", Fraction(-3 * 2**29)), ("100n", Fraction(1, 10**7)), (2, Fraction(2))],
)  # fmt: skip
def test_every_form(text: str | int, value: Fraction) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text", ["", "m", "1.2.3", "1mm", "1 Gi", "1gi", "0x10", "1e", "one", "1\n"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse(text)


@given(st.integers(0, 200), st.integers(0, 100))
def test_percentages_round_as_asked_and_never_apart(percent: int, total: int) -> None:
    """D10: maxSurge rounds up, maxUnavailable down."""
    up = scaled(f"{percent}%", total, round_up=True)
    down = scaled(f"{percent}%", total, round_up=False)
    assert down <= percent * total / 100 <= up
    assert up - down in (0, 1)
    assert scaled(percent, total, round_up=True) == percent
