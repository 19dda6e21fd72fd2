"""Templates get values and nothing else of this machine."""

from __future__ import annotations

import pytest

from reconciler.gitops.render.template import TemplateError, Templates


def rendered(text: str, **values: object) -> str:
    return Templates({"a.j2": text.encode()}, values).render("a.j2")


def test_values_go_in() -> None:
    assert rendered("{{ a }}-{{ values.a }}-{{ b.c }}", a=1, b={"c": 2}) == "1-1-2"
    assert rendered("{{ a | to_yaml | indent(2) }}", a={"b": [1]}) == "b:\n  - 1"


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("a\n{{ nothing }}", "template/undefined", 2),
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
