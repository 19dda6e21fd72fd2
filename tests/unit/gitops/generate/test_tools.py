"""Which tool makes a source's manifests."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import RenderError
from reconciler.gitops.generate.tools import Helm, Kustomize, Tool, tool_of

FILES = {"kustomization.yaml", "over/kustomization.yml", "chart/Chart.yaml", "chart/a.yaml", "b.yaml"}  # fmt: skip


def tool(source: dict[str, Any], files: set[str] = FILES) -> Tool | None:
    return tool_of(source, files, name="web", namespace="shop")


def test_what_lies_at_the_root_decides_unless_the_source_says() -> None:
    assert tool({}, {"a.yaml", "below/kustomization.yaml", "below/Chart.yaml"}) is None
    assert tool({}, {"kustomization.yml"}) == Kustomize()
    assert tool({}, {"Chart.yaml"}) == Helm("", "web", "shop")
    assert tool({"kustomize": {"path": "./over/"}}) == Kustomize("over")
    given = {"path": "chart", "releaseName": "r", "valueFiles": ["a.yaml", "../b.yaml"], "values": {"x": 1}}  # fmt: skip
    expected = Helm("chart", "r", "shop", ("chart/a.yaml", "b.yaml"), {"x": 1})
    assert tool({"helm": given}) == expected


@pytest.mark.parametrize(
    "source",
    [
        {"kustomize": {}, "helm": {}},
        {"kustomize": {"path": "chart"}},
        {"kustomize": {"path": "../over"}},
        {"kustomize": {"path": "/over"}},
        {"helm": {"path": "over"}},
        {"helm": {"path": "chart", "valueFiles": ["../../etc/passwd"]}},
        {"helm": {"path": "chart", "valueFiles": ["/etc/passwd"]}},
        {"helm": {"path": "chart", "valueFiles": ["missing.yaml"]}},
    ],
)
def test_what_is_not_in_the_source_is_refused(source: dict[str, Any]) -> None:
    with pytest.raises(RenderError, match=r"spec\.source"):
        tool(source)


def test_values_files_may_be_missing_where_that_is_said() -> None:
    given = {"path": "chart", "valueFiles": ["no.yaml", "a.yaml"], "ignoreMissingValueFiles": True}
    found = tool({"helm": given})
    assert isinstance(found, Helm)
    assert found.value_files == ("chart/a.yaml",)
