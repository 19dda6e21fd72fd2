"""The page of rules, written from the catalogue. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.gitops.validate.catalogue import GROUPS, RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.validate.catalogue.rule import Rule

_HEAD = """\
# Validation rules

Every finding of `reconciler validate`, of a plan and of a sync names one of these rules. The severity is what a finding
has where nobody says otherwise; a rule that is `off` is asked for by name:

```sh
reconciler validate deploy --rule 'practice/*=warning' --rule reference/secret=off
```

The examples are manifests that break the rule; a test holds that they do. This page is generated from the catalogue
(`reconciler/gitops/validate/catalogue/`): change it there, then write `page()` of its `page.py` to docs/validation-rules.md.
"""


def page() -> str:
    """Return docs/validation-rules.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for group, title in GROUPS.items():
        rules = [r for r in RULES.values() if r.group == group]
        yield f"## {title}\n"
        yield "| rule | severity | about |"
        yield "|---|---|---|"
        for rule in rules:
            yield f"| [`{rule.id}`](#{rule.anchor}) | {rule.severity} | {rule.title} |"
        yield ""
        for rule in rules:
            yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id}\n"
    yield f"{rule.title}. {rule.text}\n"
    if rule.example:
        yield "```yaml"
        yield rule.example.rstrip("\n")
        yield "```\n"
