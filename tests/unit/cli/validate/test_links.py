"""Every link of a finding leads to a heading of the page of rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

from reconciler.cli.validate import formats
from reconciler.cli.validate.findings import ordered
from reconciler.cli.validate.report import Report
from reconciler.gitops.finding import DOCS, Finding
from reconciler.gitops.validate.catalogue import RULES

PAGE = Path(__file__).parents[4] / "docs/validation-rules.md"


def anchors() -> set[str]:
    """Return the anchors of headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", PAGE.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_rule_has_its_heading_and_sarif_leads_there() -> None:
    findings = tuple(Finding(rule, "error", "m", "a.yaml", 1, 1) for rule in RULES)
    report = Report(("a.yaml",), 1, ordered(findings), (), lambda _: "")
    sarif = json.loads("\n".join(formats.lines("sarif", report)))
    links = {r["helpUri"] for r in sarif["runs"][0]["tool"]["driver"]["rules"]}
    assert len(links) == len(RULES)
    assert {link.partition("#")[0] for link in links} == {DOCS}
    assert {link.partition("#")[2] for link in links} <= anchors()
