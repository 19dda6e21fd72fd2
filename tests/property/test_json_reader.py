"""A text that is read as JSON is read as YAML reads it: the same value, the same place, nothing to be told."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.gitops.render.builder import DEEPEST, MOST_VALUES
from reconciler.gitops.render.json_text import read_json
from reconciler.gitops.render.reader import read, read_yaml

_numbers = st.sampled_from(
    ["0", "-0", "1.0", "-1.50", "1e3", "1E-2", "1e400", "9007199254740993", "18446744073709551616",
     "123456789012345678901234567890123456789012345678901234567890123456789012", "NaN", "-Infinity", "01"]
)  # fmt: skip
_words = st.text(max_size=8) | st.sampled_from(
    ["<<", "on", "~", "=", "items", "a: b", "# no", "k" * 1025]
)
_strings = st.builds(
    lambda word, plain: json.dumps(word, ensure_ascii=plain), _words, st.booleans()
)
_raw = st.sampled_from(
    ['"\\/"', '"\\ud83d\\ude00"', '"\\u0085"', '"\u2028"', '"a\tb"', "'a'", "tr", "&a 1"]
)
_space = st.sampled_from(["", " ", "\n", "\n  ", "\t", "\r\n", " # c\n"])

_values = st.recursive(
    _numbers | _strings | _raw | st.sampled_from(["true", "false", "null"]),
    lambda inner: (
        st.lists(st.tuples(_space, inner, _space), max_size=4).map(
            lambda items: f"[{','.join(a + v + b for a, v, b in items)}]"
        )
        | st.lists(st.tuples(_space, _strings, _space, inner), max_size=4).map(
            lambda pairs: "{" + ",".join(f"{a}{k}{b}:{v}" for a, k, b, v in pairs) + "}"
        )
    ),
    max_leaves=10,
)


@given(_values, _space, _space)
@example('{"a": 1, "a": 2}', "", "\n")
@example('{"items": [1]}', "", "")
def test_either_way_gives_the_same(value: str, before: str, after: str) -> None:
    text = f'{{"k":{before}{value}}}{after}'
    assert repr(read(text, "f")) == repr(read_yaml(text, "f"))
    assert repr(read(value, "f")) == repr(read_yaml(value, "f"))


def test_what_tools_write_is_read_as_json() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {"é": "a\nb", "n": [1, 2.5, None, True]},
    }
    assert read_json(json.dumps(obj, indent=2)) == obj
    assert read_json(json.dumps(obj, ensure_ascii=False)) == obj


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * (DEEPEST + 2) + "1" + "}" * (DEEPEST + 2),
        '{"a":' * 100_000,
        '{"a":[' + "1," * MOST_VALUES + "1]}",
    ],
    ids=["too deep", "far too deep", "too many"],
)
def test_what_is_too_large_is_told_by_yaml(text: str) -> None:
    documents, findings = read(text, "f")
    assert findings
    assert not documents[0].readable
