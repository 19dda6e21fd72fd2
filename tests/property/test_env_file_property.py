"""Whatever a file of variables says to a kubelet it says to a shell."""

from __future__ import annotations

import contextlib
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kubelet.env_file import BadEnvFile, value_of

_LINES = st.lists(
    st.sampled_from(
        [
            "A='1'",
            "B='x y'",
            "  A='#'",
            "# c",
            "",
            "A='one",
            "two'",
            "B='' # c",
            "A='1'2",
            "A=",
            "C ='1'",
            "A='$B'",
            "'",
        ]
    ),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(_LINES)
def test_a_shell_understands_the_same(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    try:
        value = value_of(text, "A")
    except BadEnvFile:
        return
    if value is None or text.count("A=") > 1:
        return  # of two the shell takes the last, whose place a kubelet does not reach
    done = subprocess.run(
        ["sh", "-c", f'{text}printf %s "$A"'],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    # What stands after the variable was not looked at here, and may be anything.
    assert done.returncode or done.stdout == value


@given(st.text(alphabet=" \t\n#='AB1\\\"", max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    for key in ("A", "B"):
        with contextlib.suppress(BadEnvFile):
            value = value_of(text, key)
            assert value is None or f"{key}='{value}'" in text
