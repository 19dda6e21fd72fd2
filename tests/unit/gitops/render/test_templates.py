"""Templates get values and nothing else of this machine."""

from __future__ import annotations

from hashlib import sha256

import pytest

from reconciler.gitops.render import render
from reconciler.gitops.render.template import TemplateError, Templates
from reconciler.gitops.source import File, Snapshot


def rendered(text: str, **values: object) -> str:
    return Templates({"a.j2": text.encode()}, values).render("a.j2").text


def test_values_go_in() -> None:
    assert rendered("{{ a }}-{{ values.a }}-{{ b.c }}", a=1, b={"c": 2}) == "1-1-2"
    assert rendered("{{ a | to_yaml | indent(2) }}", a={"b": [1]}) == "b:\n  - 1"


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("a\n{{ nothing }}", "template/undefined", 2),
        ("a\n{{ nothing | tojson }}", "template/undefined", 2),
        ("{{ [nothing] | to_json }}", "template/undefined", 1),
        ("a\n{{ {1: nothing} | to_yaml }}", "template/undefined", 2),
        ("a\n{% for i in range(nothing) %}{% endfor %}", "template/undefined", 2),
        ("{{ fail | to_yaml }}", "template/failed", 1),
        ("a\n\n{% if %}", "template/syntax", 3),
        ("{{ ().__class__ }}", "template/forbidden", 1),
        ("a\n{% include '/etc/passwd' %}", "template/missing", 2),
        ("{% include '../a.j2' %}", "template/missing", 1),
        ("{{ 'a' * 1000000000 }}", "template/forbidden", 1),
        ("{{ '%1000000000d' % 1 }}", "template/forbidden", 1),
        ("{{ 'a'.ljust(1000000000) }}", "template/forbidden", 1),
        ("{{ 'a' | indent(1000000000, true) }}", "template/forbidden", 1),
        ("{% for a in range(100000) %}{% endfor %}", "template/forbidden", 1),
        ("{% for a in range(9999) %}{{ 'x' }}{{ big }}{% endfor %}", "template/too-large", 1),
        ("a\n{{ fail('say why') }}", "template/failed", 2),
        ("{{ 1 // 0 }}", "template/failed", 1),
        ("{% include 'a.j2' %}", "template/failed", 1),
    ],
)
def test_what_is_refused_has_its_rule_and_line(text: str, rule: str, line: int) -> None:
    with pytest.raises(TemplateError) as caught:
        rendered(text, big="x" * 1000)
    assert (caught.value.rule, caught.value.line) == (rule, line)


DEPLOYMENT = """\
{% set unused = 1 %}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ name }}}
data:
{%- for key in keys %}
  {{ key }}: "one"
  shared: {{ value }}-{{ key }}
{%- endfor %}
{% include "_part.j2" %}
"""


@pytest.mark.parametrize(
    ("path", "line", "columns", "rendered", "file"),
    [
        # literal text, behind what a loop has written twice
        (("metadata",), 4, (1, 9), (4, 1), "a.yaml.j2"),
        # an expression: the whole of it is the culprit
        (("metadata", "name"), 4, (18, 28), (4, 18), "a.yaml.j2"),
        (("data", "second"), 7, (14, 19), (7, 11), "a.yaml.j2"),
        # in what is included
        (("part", "bad"), 2, (13, 14), (9, 13), "_part.j2"),
    ],
)
def test_a_place_in_the_text_is_one_in_the_template(
    path: tuple[str, ...], line: int, columns: tuple[int, int], rendered: tuple[int, int], file: str
) -> None:
    template = DEPLOYMENT.replace("  shared: {{ value }}-{{ key }}\n", "")
    files = {"a.yaml.j2": template, "_part.j2": "{# nothing #}\npart: {bad: 1}"}
    held = {p: File(p, sha256(t.encode()).hexdigest(), t.encode()) for p, t in files.items()}
    values = {"name": "n", "keys": ["first", "second"]}
    (document,) = render(Snapshot("", held), values=values).documents
    finding = document.finding("schema/unknown-field", "error", "said", path)
    if path[-1] != "metadata":
        finding = document.finding("schema/type", "error", "said", path)
    assert finding.file == file
    assert (finding.line, finding.column, finding.end_column) == (line, *columns)
    assert (finding.rendered_line, finding.rendered_column) == rendered
