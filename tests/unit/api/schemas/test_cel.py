"""Rules in CEL of custom kinds: what holds, what breaks and where, what is not asked, and that it takes bounded time."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from reconciler.api.schemas import Validator, cel
from reconciler.api.schemas.cel.engine import MISSING, engine
from reconciler.api.schemas.conversion import structural

pytest.importorskip("cel_expr_python", reason="the extra cel is not installed")


def schema(spec: dict[str, Any], *rules: dict[str, Any] | str) -> dict[str, Any]:
    held = [{"rule": r} if isinstance(r, str) else r for r in rules]
    return structural(
        {
            "type": "object",
            "properties": {
                "spec": {"type": "object", "properties": spec, "x-kubernetes-validations": held}
            },
        }
    )


INT, STRING, NUMBER = {"type": "integer"}, {"type": "string"}, {"type": "number"}
TIME, DURATION = {**STRING, "format": "date-time"}, {**STRING, "format": "duration"}
STRINGS = {"type": "array", "items": STRING}


def ask(
    spec: dict[str, Any], rule: dict[str, Any] | str, value: Any, old: Any = None
) -> cel.Outcome:
    before = None if old is None else {"spec": old}
    return cel.check(schema(spec, rule), {"spec": value}, before)


@pytest.mark.parametrize(
    ("spec", "rule", "value"),
    [
        ({"a": INT, "b": INT}, "self.a <= self.b", {"a": 1, "b": 2}),
        ({"a": INT}, "!has(self.a) || self.a > 0", {}),
        ({"a": {**INT, "default": 3}}, "self.a == 3", {}),
        ({"a": {**INT, "default": 3}}, "self.a == 3", {"a": None}),
        ({"a": NUMBER}, "type(self.a) == double && self.a >= 1.0", {"a": 1}),
        ({"a": {"x-kubernetes-int-or-string": True}},
         "type(self.a) == int ? self.a > 0 : self.a.endsWith('%')", {"a": "10%"}),
        ({"a": {**STRING, "nullable": True}}, "self.a == null", {"a": None}),
        ({"namespace": STRING}, "self.__namespace__ == 'x'", {"namespace": "x"}),
        ({"my-field.x": STRING}, "self.my__dash__field__dot__x == 'x'", {"my-field.x": "x"}),
        ({"t": {**STRING, "format": "date-time"}},
         "timestamp(self.t) < timestamp('2030-01-01T00:00:00Z')", {"t": "2026-01-31T12:00:00Z"}),
        ({"t": TIME, "u": TIME}, "self.t == self.u", {"t": "2026-01-31T12:00:00Z", "u": "2026-01-31T13:00:00+01:00"}),
        ({"t": TIME, "u": TIME}, "self.t < self.u", {"t": "2026-01-31T12:00:00Z", "u": "2026-01-31T12:00:00.5Z"}),
        ({"d": DURATION, "e": DURATION}, "self.d == self.e", {"d": "90s", "e": "1m30s"}),
        ({"l": STRINGS}, "self.l.all(x, x.matches('^[a-z]+$')) && self.l.isSorted()", {"l": ["a", "b"]}),
        ({"l": {"type": "array", "items": INT}}, "self.l.sum() == 6 && self.l.max() == 3", {"l": [1, 2, 3]}),
        ({"l": STRINGS}, "self.l.indexOf('b') == 1 && self.l.indexOf('c') == -1", {"l": ["a", "b"]}),
        ({"u": STRING}, "isURL(self.u) && url(self.u).getHost() == 'example.org:80'", {"u": "http://example.org:80/a"}),
        ({"u": STRING}, "!isURL(self.u)", {"u": "example.org/a"}),
        ({"q": STRING}, "isQuantity(self.q) && quantity(self.q).isLessThan(quantity('1Gi'))", {"q": "512Mi"}),
        ({"q": STRING}, "quantity(self.q) == quantity('1Ki') && quantity(self.q).asInteger() == 1024", {"q": "1024"}),
        ({"q": STRING}, "quantity(self.q).add(quantity('1')).compareTo(quantity('3')) == 0", {"q": "2"}),
        ({"i": STRING}, "isIP(self.i) && !isCIDR(self.i)", {"i": "::1"}),
        ({"i": STRING}, "isCIDR(self.i)", {"i": "10.0.0.0/8"}),
        ({"m": {"type": "object", "additionalProperties": INT}}, "self.m.all(k, self.m[k] > 0)", {"m": {"a": 1}}),
        ({"s": STRING}, "self.s.split(',').size() == 2 && self.s.lowerAscii() == 'a,b'", {"s": "A,B"}),
    ],
)  # fmt: skip
def test_a_rule_that_holds_says_nothing(spec: dict[str, Any], rule: str, value: Any) -> None:
    assert ask(spec, rule, value) == cel.Outcome()
    # The same rule, denied, is heard: it was really asked.
    assert len(ask(spec, f"!({rule})", value).violations) == 1


def test_what_breaks_is_said_where_it_is() -> None:
    rule = {"rule": "self.a <= self.b", "message": "a is more than b", "fieldPath": ".a"}
    (found,) = ask({"a": INT, "b": INT}, rule, {"a": 3, "b": 2}).violations
    assert found == cel.Violation(("spec", "a"), "self.a <= self.b", "a is more than b")


def test_an_expression_makes_the_message() -> None:
    rule = {"rule": "self.a < 3", "message": "no", "messageExpression": "'at most 2, got ' + string(self.a)"}  # fmt: skip
    (found,) = ask({"a": INT}, rule, {"a": 5}).violations
    assert found.message == "at most 2, got 5"
    (found,) = ask({"a": INT}, {**rule, "messageExpression": "self.nothing"}, {"a": 5}).violations
    assert found.message == "no"


def test_a_field_that_is_not_there_breaks_a_rule_that_reads_it() -> None:
    (found,) = ask({"a": INT}, "self.a > 0", {}).violations
    assert found.message == "failed rule: self.a > 0 (no such key: a)"


def test_rules_stand_at_items_and_values_of_maps() -> None:
    item = {"type": "object", "properties": {"n": INT}, "x-kubernetes-validations": [{"rule": "self.n > 0"}]}  # fmt: skip
    given = schema(
        {"l": {"type": "array", "items": item}, "m": {"type": "object", "additionalProperties": item}}
    )  # fmt: skip
    found = cel.check(given, {"spec": {"l": [{"n": 1}, {"n": 0}], "m": {"x": {"n": -1}}}})
    assert [v.path for v in found.violations] == [("spec", "l", 1), ("spec", "m", "x")]


def test_rules_about_a_change_are_asked_of_a_change() -> None:
    rule = {"rule": "self.a == oldSelf.a", "message": "a is immutable"}
    assert ask({"a": INT}, rule, {"a": 2}) == cel.Outcome()
    assert ask({"a": INT}, rule, {"a": 2}, {"a": 2}) == cel.Outcome()
    (found,) = ask({"a": INT}, rule, {"a": 2}, {"a": 1}).violations
    assert found.message == "a is immutable"


def test_an_item_is_compared_with_the_one_of_its_key() -> None:
    item = {
        "type": "object",
        "properties": {"name": STRING, "n": INT},
        "x-kubernetes-validations": [{"rule": "self.n >= oldSelf.n"}],
    }
    parts = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}  # fmt: skip
    old = {"spec": {"l": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}}
    new = {"spec": {"l": [{"name": "c", "n": 0}, {"name": "b", "n": 1}, {"name": "a", "n": 1}]}}
    found = cel.check(schema({"l": parts}), new, old)
    assert [v.path for v in found.violations] == [("spec", "l", 1)]
    atomic = {"type": "array", "items": item}
    assert cel.check(schema({"l": atomic}), new, old) == cel.Outcome()


def test_the_order_of_sets_and_list_maps_is_no_change() -> None:
    set_ = {**STRINGS, "x-kubernetes-list-type": "set"}
    assert ask({"l": set_}, "self.l == oldSelf.l", {"l": ["a", "b"]}, {"l": ["b", "a"]}) == cel.Outcome()  # fmt: skip
    assert ask({"l": STRINGS}, "self.l == oldSelf.l", {"l": ["a", "b"]}, {"l": ["b", "a"]}).violations  # fmt: skip
    assert ask({"l": set_}, "self.l == oldSelf.l", {"l": ["a", "b"]}, {"l": ["b", "c"]}).violations
    item = {"type": "object", "properties": {"name": STRING, "l": set_}}
    map_ = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}  # fmt: skip
    new = [{"name": "a", "l": ["x", "y"]}, {"name": "b"}]
    old = [{"name": "b"}, {"name": "a", "l": ["y", "x"]}]
    assert ask({"m": map_}, "self.m == oldSelf.m", {"m": new}, {"m": old}) == cel.Outcome()


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("self.s.find('[0-9]') == ''", "a"),  # a function that is left out
        ("self.s.", "a"),  # no CEL
        ("self.s", "a"),  # no condition
        ("self.s.matches('(')", "a"),
        ("self.s > 3", "a"),
        ("authorizer.path('/x').check('get').allowed()", "a"),
        ("(" * 200 + "true" + ")" * 200, "a"),
        ("true" + " && true" * 3000, "a"),
        ("quantity(self.s).asInteger() == 1", "a"),
        ("self.d > duration('4m')", "a"),
        ("self.t > timestamp('2020-01-01T00:00:00Z')", "a"),
    ],
)
def test_what_cannot_be_evaluated_is_told_and_is_no_error(rule: str, value: str) -> None:
    given = {"s": value, "d": "5m", "t": "2026-01-31T12:00:00Z"}
    found = ask({"s": STRING, "d": DURATION, "t": TIME}, rule, given)
    assert found.violations == ()
    assert len(found.skipped) == 1


def test_without_the_extra_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    engine.cache_clear()
    try:
        monkeypatch.setitem(sys.modules, "cel_expr_python", None)
        found = ask({"a": INT}, "self.a > 3", {"a": 1})
    finally:
        engine.cache_clear()
    assert found == cel.Outcome((), (MISSING,))


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("self.l.all(x, self.l.all(y, self.l.all(z, x == y || y == z)))", {"l": ["a"] * 3000}),
        ("self.l.all(x, !(self.s + self.s).contains('b'))", {"l": ["a"] * 9000, "s": "a" * 1_000_000}),
        ("self.s.matches('(a+)+$')", {"l": [], "s": "a" * 500_000 + "b"}),
        ("self.l.map(x, self.l + self.l).map(y, y + y).all(z, size(z) > 0)", {"l": ["a"] * 9000}),
    ],
)  # fmt: skip
def test_no_rule_takes_long(rule: str, value: Any) -> None:
    begun = time.process_time()
    ask({"l": STRINGS, "s": STRING}, rule, value)
    assert time.process_time() - begun < 2


def test_many_places_share_one_budget() -> None:
    item = {**STRING, "x-kubernetes-validations": [{"rule": "self.matches('(a|b)+$')"}]}
    given = schema({"l": {"type": "array", "items": item}})
    begun = time.process_time()
    cel.check(given, {"spec": {"l": ["ab" * 100] * 20_000}})
    assert time.process_time() - begun < 4


def test_only_schemas_with_rules_are_asked() -> None:
    assert not Validator(structural({"type": "object"})).has_rules
    assert Validator(schema({}, "true")).has_rules
    assert Validator(structural({"type": "object"})).rules({"spec": {}}) == cel.Outcome()
