"""What the reader spares a call for is read as what it looks at closely."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.gitops.render.reader import read

KEYS = st.sampled_from(
    ["a", "on", "'on'", '"a"', "<<", "'<<'", "010", "~", "1e3", "!!str on", "!!int 1", "&k b", "*k",
     ".inf", "? [a]", "k" * 70, "0x1f", "true", "''", "-1", "é"]
)  # fmt: skip
VALUES = st.recursive(
    st.sampled_from(
        ["1", "on", "'on'", '"x"', "", "~", ".nan", "1e3", "!!binary aGk=", "&v x", "*v", "*k", "010",
         "v" * 70, "!!str 1", "1_000", "{<<: {b: 1}}"]
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda v: f"[{', '.join(v)}]")
    | st.lists(st.tuples(KEYS, inner), max_size=3).map(
        lambda v: "{" + ", ".join(f"{key} : {value}" for key, value in v) + "}"
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=5))
def test_a_text_is_read_the_same_on_either_way(pairs: list[tuple[str, str]]) -> None:
    text = "".join(f"{key} : {value}\n" for key, value in pairs)
    # A text that may hold an escape which Kubernetes does not know is looked at word by word.
    closely, told = read(text + "# \\/\n", "a.yaml")
    quickly, said = read(text + "# //\n", "a.yaml")
    assert repr(quickly) == repr(closely)
    assert said == told
