"""The Application that docs/gitops.md shows."""

from __future__ import annotations

from pathlib import Path

import yaml

from reconciler.api import schemas
from reconciler.gitops.engine.policy import policy_of

PAGE = Path(__file__).parents[4] / "docs/gitops.md"


def test_every_application_on_the_page_is_valid_and_its_policy_can_be_used() -> None:
    blocks = [b.partition("```")[0] for b in PAGE.read_text().split("```yaml\n")[1:]]
    apps = [yaml.safe_load(b) for b in blocks]
    assert len(apps) == 2
    for app in apps:
        assert list(schemas.errors(app)) == []
        policy_of(app)
