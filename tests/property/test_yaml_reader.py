"""The YAML reader never raises, and gives back what was written."""

from __future__ import annotations

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.gitops.render import reader

_text = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(_text, inside, max_size=4),
    max_leaves=12,
)


@given(_values)
def test_json_is_read_as_json(value: object) -> None:
    documents, findings = reader.read(json.dumps(value, ensure_ascii=False), "f")
    assert not findings
    assert documents[0].value == value


@given(st.text(max_size=60) | st.text("[]{}:,-&*!|>'\"#%@` \n\tab01.<~?", max_size=60))
def test_no_text_raises_and_every_finding_has_a_place(text: str) -> None:
    documents, findings = reader.read(text, "f")
    for finding in findings:
        assert finding.line >= 1
        assert finding.column >= 1
        assert finding.message
    for document in documents:
        json.dumps(document.value, allow_nan=False)
        if document.readable:
            places = reader.places(text[document.start : document.stop], document.first_line)
            assert all(places.get(path) for path in places.paths())


@given(st.dictionaries(_text, _text, max_size=4))
def test_what_other_tools_write_is_read(value: dict[str, str]) -> None:
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True)
    documents, findings = reader.read(text, "f")
    assert not findings
    assert documents[0].value == value
