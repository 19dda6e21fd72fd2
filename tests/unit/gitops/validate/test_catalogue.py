"""The catalogue is whole: every rule that anything names is in it, and every example breaks its own rule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.gitops.render import render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import Checks, validate
from reconciler.gitops.validate.catalogue import GROUPS, RULES, SEVERITIES, Rule
from reconciler.gitops.validate.catalogue.page import page

if TYPE_CHECKING:
    from reconciler.gitops.finding import Finding

ROOT = Path(__file__).parents[4]
_ID = re.compile(rf'"((?:{"|".join(GROUPS)})/[a-z-]+)"')
_TOLD = re.compile(r'(?:inding|_Refused|_tell|wrong)\(\s*"([a-z]+/[a-z-]+)"')
_SHORT = re.compile(
    r'(?:invalid|required|duplicate|not_found|forbidden|unsupported|not_negative)\(\s*"([a-z-]+)"'
)


def found_in(text: str, checks: Checks) -> list[Finding]:
    data = text.encode()
    rendered = render(Snapshot("", {"a.yaml": File("a.yaml", text, data)}))
    return [*rendered.findings, *validate(rendered.documents, checks=checks)]


@pytest.mark.parametrize("rule", [r for r in RULES.values() if r.example], ids=lambda r: r.id)
def test_an_example_breaks_its_rule(rule: Rule) -> None:
    """A rule's example is found by it, with its severity; what is off is found when it is asked for."""
    off = rule.severity == "off"
    checks = Checks(levels={rule.id: "warning"} if off else {})
    found = found_in(rule.example, checks)
    mine = [f for f in found if f.rule == rule.id]
    assert mine, found
    assert {f.severity for f in mine} <= {"warning" if off else rule.severity, "info"}
    assert all(f.line > 0 for f in mine)


def test_a_rule_that_is_off_finds_nothing_unasked() -> None:
    for rule in RULES.values():
        if rule.severity == "off":
            assert not [f for f in found_in(rule.example, Checks()) if f.rule == rule.id]


def test_rules_without_an_example_are_those_that_no_manifest_alone_can_break() -> None:
    bare = {r.id.partition("/")[0] for r in RULES.values() if not r.example}
    made = {"plan", "values", "kustomize", "helm", "substitute", "sops"}
    assert bare <= {"syntax", "schema", "template", "source", "ignore", "runtime", "rule"} | made
    assert [r.id for r in RULES.values() if not r.example and r.group == "rule"] == [
        "rule/immutable", "rule/config-size", "rule/invalid",
    ]  # fmt: skip


def test_every_rule_that_the_code_names_is_in_the_catalogue() -> None:
    named: dict[str, str] = {}
    for path in (ROOT / "reconciler").rglob("*.py"):
        if "catalogue" in path.parts:
            continue
        text = path.read_text()
        named |= dict.fromkeys((*_ID.findall(text), *_TOLD.findall(text)), path.name)
        if path.parent.name == "rules" and path.parent.parent.name == "api":
            named |= {f"rule/{r}": path.name for r in _SHORT.findall(text)}
    missing = {r: where for r, where in named.items() if r not in RULES}
    assert not missing, f"add them to reconciler/gitops/validate/catalogue: {missing}"


def test_rules_are_well_formed() -> None:
    for rule in RULES.values():
        assert rule.group in GROUPS
        assert rule.severity in SEVERITIES
        assert rule.title
        assert rule.text.endswith(".") or rule.text.endswith("?")


def test_the_page_of_rules_is_the_catalogue() -> None:
    written = (ROOT / "docs/validation-rules.md").read_text()
    assert written == page(), "write page() to docs/validation-rules.md"
