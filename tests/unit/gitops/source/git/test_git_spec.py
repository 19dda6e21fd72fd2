"""``spec.source.git``: what is accepted, and what is refused in one line that names the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import SourceError
from reconciler.gitops.source.git import parse
from reconciler.gitops.source.git import url as urls
from reconciler.gitops.source.git.semver import Range, version


@pytest.mark.parametrize(
    ("text", "origin", "identity"),
    [
        ("https://github.com/Acme/shop.git", "https://github.com", "github.com/acme/shop"),
        ("git@github.com:acme/shop.git", "ssh://github.com", "github.com/acme/shop"),
        ("ssh://git@host.example:2222/a/b", "ssh://host.example:2222", "host.example/a/b"),
        ("git://127.0.0.1:9418/x.git/", "git://127.0.0.1:9418", "127.0.0.1/x"),
        ("https://[::1]:8443/x", "https://[::1]:8443", "::1/x"),
        ("file:///srv/git/shop.git", "file://", "/srv/git/shop"),
        ("/srv/git/shop.git", "file://", "/srv/git/shop"),
    ],
)
def test_urls_that_are_understood(text: str, origin: str, identity: str) -> None:
    found = urls.parse(text)
    assert (found.origin, found.identity) == (origin, identity)


@pytest.mark.parametrize(
    "text",
    [
        "ext::sh -c touch% /tmp/owned", "fd::17", "-uploadpack=touch /tmp/x", "--upload-pack=x",
        "ftp://host/x", "https://", "https:///x", "ssh://-oProxyCommand=x/y",
        "ssh://git@-oProxyCommand=x/y", "ssh://host/-x", "https://host", "https://host/x?y", "https://host/x#y",
        "file://host/x", "file://../x", "http://a b/x", "https://host/x\nurl", "", "relative/path",
        "https://host:port/x", "ssh://-l@host/x", "git@-host:x",
    ],
)  # fmt: skip
def test_urls_that_are_refused(text: str) -> None:
    with pytest.raises(SourceError, match=r"spec\.source\.git\.url"):
        parse({"url": text})


def test_a_url_with_credentials_is_refused_without_showing_them() -> None:
    for text in ("https://user:hunter2@host/x", "https://hunter2@host/x", "ssh://u:hunter2@host/x"):
        with pytest.raises(SourceError, match="holds credentials") as caught:
            parse({"url": text})
        assert "hunter2" not in str(caught.value)


@given(st.text(max_size=60))
def test_no_text_as_a_url_raises_anything_else(text: str) -> None:
    try:
        found = urls.parse(text)
    except SourceError:
        return
    assert found.scheme in urls.SCHEMES
    assert not found.text.startswith("-")
    assert "::" not in found.text.partition("/")[0]


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        (None, ("head", "")),
        ("HEAD", ("head", "")),
        ("main", ("auto", "main")),
        ("refs/pull/1/head", ("name", "refs/pull/1/head")),
        ("a" * 40, ("commit", "a" * 40)),
        ({"branch": "feature/x"}, ("branch", "feature/x")),
        ({"tag": "v1.2.3"}, ("tag", "v1.2.3")),
        ({"semver": ">=1 <2"}, ("semver", ">=1 <2")),
        ({"branch": "main", "commit": "b" * 40}, ("commit", "b" * 40)),
        ({"name": "refs/heads/x"}, ("name", "refs/heads/x")),
    ],
)
def test_refs(ref: Any, expected: tuple[str, str]) -> None:
    assert tuple(parse({"url": "https://h/x", "ref": ref}).ref) == expected


@pytest.mark.parametrize(
    "ref",
    [
        "-x", "--upload-pack=x", "a b", "a..b", "a~1", "a^{}", "a:b", "a?", "x.lock", "/x", "x/", "@{1}", "a\x00b",
        {"branch": "-x"}, {"tag": "+refs/heads/*:refs/heads/*"}, {"semver": "not a range"}, {"commit": "abc"},
        {"name": "main"}, {"branch": "a", "tag": "b"}, {"brnch": "x"}, 5,
    ],
)  # fmt: skip
def test_refs_that_are_refused(ref: Any) -> None:
    with pytest.raises(SourceError, match=r"spec\.source\.git\.ref"):
        parse({"url": "https://h/x", "ref": ref})


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..", "a\\b", "a\x00b"])
def test_paths_out_of_the_repository_are_refused(path: str) -> None:
    with pytest.raises(SourceError, match=r"spec\.source\.git\.path"):
        parse({"url": "https://h/x", "path": path})


@pytest.mark.parametrize(
    ("given_path", "expected"),
    [("./deploy/", "deploy"), ("/a//b", "a/b"), (".", ""), ("a/../b", "b")],
)
def test_paths_are_brought_to_one_form(given_path: str, expected: str) -> None:
    assert parse({"url": "https://h/x", "path": given_path}).path == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval", "soon"), ("timeout", "1d"), ("depth", -1), ("depth", "all"), ("verify", {"mode": "HEAD"}),
        ("verify", {"mode": "all", "sshKeys": ["x"]}), ("secretRef", {"nme": "x"}), ("unknown", 1),
    ],
)  # fmt: skip
def test_what_else_is_refused(field: str, value: Any) -> None:
    with pytest.raises(SourceError, match=r"spec\.source\.git"):
        parse({"url": "https://h/x", field: value})


VERSIONS = [
    "0.9.0",
    "v1.0.0",
    "1.2.0",
    "1.2.3",
    "1.3.0-rc.1",
    "1.3.0",
    "2.0.0-beta.2",
    "2.0.0-beta.11",
    "2.0.0",
    "x",
    "1.2",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", "2.0.0"), (">=1.0.0 <2.0.0", "1.3.0"), ("^1.2", "1.3.0"), ("~1.2", "1.2.3"), ("~1.2.1", "1.2.3"),
        ("1.x", "1.3.0"), ("1.2.x", "1.2.3"), ("1", "1.3.0"), ("=1.2.0", "1.2.0"), ("1.0.0", "v1.0.0"),
        ("<1.3.0", "1.2.3"), ("<=1.2", "1.2.3"), (">1.3", "2.0.0"), ("^0.9", "0.9.0"), ("0.9 - 1.2", "1.2.3"),
        ("1.2.0 || 0.9.0", "1.2.0"), (">=1.2.0, !=1.3.0, <2", "1.2.3"), (">=2.0.0-beta.1 <2.0.0", "2.0.0-beta.11"),
        (">=1.3.0-rc.1 <1.3.0", "1.3.0-rc.1"), (">3", None), ("^3", None),
    ],
)  # fmt: skip
def test_ranges_choose_the_highest_version(text: str, expected: str | None) -> None:
    assert Range(text).newest(VERSIONS) == expected


@pytest.mark.parametrize("text", ["", "a", "1.2.3.4", ">= ", "1 || ", "^", "1.2.3 &", "x" * 300])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|version"):
        Range(text)


NUMBERS = st.integers(0, 30)


@given(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["", "-rc.1", "-alpha", "-1.2"]))
def test_a_version_is_in_its_own_range_and_in_its_caret(a: int, b: int, c: int, pre: str) -> None:
    text = f"{a}.{b}.{c}{pre}"
    found = version(text)
    assert found is not None
    for whole in (text, f"^{text}", f"~{text}", f">={text}", f"<={text}", f"{text} - {text}"):
        assert found in Range(whole), whole
    assert found not in Range(f">{text}")
    assert found not in Range(f"<{text}")


@given(st.text(max_size=40))
def test_no_text_as_a_range_raises_anything_else(text: str) -> None:
    try:
        Range(text).newest(["1.0.0", "2.0.0-rc.1"])
    except ValueError:
        return
