"""postBuild over documents: types, places, what is left alone, what is kept."""

from __future__ import annotations

import hashlib

from reconciler.gitops.render import RenderCache, Rendered, render
from reconciler.gitops.render.substitute import SubstituteCache, Variables, substitute
from reconciler.gitops.source import File, Snapshot


def rendered(cache: RenderCache | None = None, /, **files: str) -> Rendered:
    found = {}
    for name, text in files.items():
        path = name.replace("_", ".")
        found[path] = File(path, hashlib.sha256(text.encode()).hexdigest(), text.encode())
    return render(Snapshot("r", found), cache=cache)


HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def one(text: str, strict: bool = False, **variables: str) -> Rendered:
    return substitute(rendered(a_yaml=HEAD + text), Variables(variables, strict))


def test_what_stands_without_quotes_is_read_again_and_what_is_quoted_stays_text() -> None:
    found = one(
        "spec:\n  i: ${N}\n  s: \"${N}\"\n  q: '${N}'\n  t: v${N}\n  b: ${B}\n  none: ${NO:-}\n"
        "  block: |\n    x=${N}\n  list: [\"${N}\"]\n  more:\n  - ${N}\n  '${K}': 1\n",
        N="3", B="true", K="key",
    )  # fmt: skip
    assert found.documents[0].object["spec"] == {
        "i": 3, "s": "3", "q": "3", "t": "v3", "b": True, "none": None, "block": "x=3\n",
        "list": ["3"], "more": [3], "key": 1,
    }  # fmt: skip
    assert not found.findings


def test_a_value_adds_no_field() -> None:
    found = one("data:\n  a: ${A}\n", A="x\nb: injected\n---\nkind: Secret")
    assert found.documents[0].object["data"] == {"a": "x\nb: injected\n---\nkind: Secret"}


def test_an_undefined_name_is_told_at_its_line_and_an_error_only_when_strict() -> None:
    text = "data:\n  a: |\n    one\n    two ${NOPE}\n  b: ${NEITHER}\n"
    found = one(text)
    assert [(f.severity, f.rule, f.line) for f in found.findings] == [
        ("warning", "substitute/undefined", 7), ("warning", "substitute/undefined", 8),
    ]  # fmt: skip
    assert found.documents[0].object["data"] == {"a": "one\ntwo \n", "b": None}
    found = one(text, strict=True)
    assert [f.severity for f in found.findings] == ["error", "error"]
    assert "${NOPE}" in found.findings[0].message
    assert not found.documents


def test_a_script_with_its_own_expressions_is_refused_with_what_to_write() -> None:
    found = one("data:\n  run.sh: |\n    echo ${x%%.*}\n")
    assert [(f.rule, f.line) for f in found.findings] == [("substitute/syntax", 6)]
    assert "$${" in found.findings[0].message


def test_an_object_that_says_so_is_left_alone() -> None:
    for field in ("annotations", "labels"):
        for key in ("kustomize.toolkit.fluxcd.io/substitute", "reconciler.dev/substitute"):
            text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  {field}: {{{key}: disabled}}\ndata: {{a: '${{x%%y}}'}}\n"
            found = substitute(rendered(a_yaml=text), Variables({}))
            assert found.documents[0].object["data"] == {"a": "${x%%y}"}
            assert not found.findings


def test_items_of_a_list_and_later_documents_have_their_own_places() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n"
        '  data: {m: "${N}", y: "${N}"}\n---\n' + HEAD + "data:\n  a: ${NOPE}\n"
    )  # fmt: skip
    found = substitute(rendered(a_yaml=text), Variables({"N": "1"}))
    assert found.documents[0].object["data"] == {"m": "1", "true": "1"}
    assert [f.line for f in found.findings] == [13]


def test_in_a_template_the_templates_line_is_told() -> None:
    text = "{% set x = 1 %}\n\n" + HEAD + "data:\n  a: ${NOPE}\n"
    found = substitute(rendered(a_yaml_j2=text), Variables({}))
    assert [(f.file, f.line) for f in found.findings] == [("a.yaml.j2", 7)]


def test_only_what_another_value_changes_becomes_another_document() -> None:
    renders, cache = RenderCache(), SubstituteCache()
    files = {
        "a_yaml": HEAD + "data: {a: '${A}'}\n",
        "b_yaml": HEAD + "data: {b: '${B}'}\n",
        "c_yaml": HEAD,
    }
    before = substitute(rendered(renders, **files), Variables({"A": "1", "B": "1"}), cache)
    same = substitute(rendered(renders, **files), Variables({"A": "1", "B": "1"}), cache)
    after = substitute(rendered(renders, **files), Variables({"A": "2", "B": "1"}), cache)
    assert all(x is y for x, y in zip(before.documents, same.documents, strict=True))
    assert [x is y for x, y in zip(before.documents, after.documents, strict=True)] == [
        False, True, True,
    ]  # fmt: skip
