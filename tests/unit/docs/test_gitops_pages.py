"""What docs/ show of Applications and of reconciler.yaml is accepted as it stands there, and does what is said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.clock import run_virtual
from reconciler.config import load
from reconciler.gitops.render import render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import validate
from tests.simulation.applications import Cluster

DOCS = Path(__file__).parents[3] / "docs"
APPLICATION = {
    "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "shown"},
}  # fmt: skip
DIRECTORY = {"directory": {"path": "/srv/shown"}}


def _texts(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def _blocks(page: str) -> list[dict[str, Any]]:
    return [found for text in _texts(page) for found in yaml.safe_load_all(_whole(text))]


def _whole(block: str) -> str:
    """Return a block that begins within a manifest as one of its own."""
    return re.sub(r"^ +", "", block) if block.startswith("    git:") else block


def _spec(block: dict[str, Any]) -> dict[str, Any] | None:
    """Return the spec of the Application that a block is, or is a part of; None for something else."""
    if block.get("kind") == "Application":
        return dict(block["spec"])
    source = block.get("source") or ({"git": block["git"]} if "git" in block else None)
    if source is None:
        return None
    return {"source": source if {"git", "directory"} & source.keys() else {**DIRECTORY, **source}}


@pytest.mark.parametrize(
    ("page", "least"), [("git.md", 4), ("gitops.md", 2), ("rendering.md", 4), ("workloads.md", 0)]
)
def test_every_application_shown_is_one(page: str, least: int) -> None:
    specs = [spec for block in _blocks(page) if (spec := _spec(block)) is not None]
    assert len(specs) >= least
    for spec in specs:
        data = yaml.safe_dump({**APPLICATION, "spec": spec}).encode()
        rendered = render(Snapshot("", {"a.yaml": File("a.yaml", "", data)}))
        found = [*rendered.findings, *validate(rendered.documents, references=False)]
        assert not [f.text() for f in found if f.severity == "error"]


@pytest.mark.parametrize(
    "page", ["configuration.md", "notifications.md", "git.md", "validate.md", "operating.md"]
)
def test_every_configuration_shown_is_one(page: str, tmp_path: Path) -> None:
    keys = {
        "network",
        "log",
        "metrics",
        "webhook",
        "notifications",
        "validate",
        "history",
        "runtime",
    }
    shown = [text for text in _texts(page) if keys & yaml.safe_load(_whole(text)).keys()]
    assert shown or page == "operating.md"
    for name in ("slack-url", "pager-key", "github-token", "webhook-secret"):
        (tmp_path / name).touch(mode=0o600)
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        load(file)


def test_a_change_of_a_config_map_of_substitute_from_is_a_change_of_the_source() -> None:
    (given,) = [b["source"]["postBuild"] for b in _blocks("rendering.md") if "postBuild" in b.get("source", {})]  # fmt: skip

    async def story() -> None:
        async with Cluster().running() as cluster:
            site: dict[str, Any] = {
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "site", "namespace": "shop"}, "data": {"greeting": "Hello"},
            }  # fmt: skip
            await cluster.registry.apply(site, field_manager="somebody")
            text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {value: '${greeting} at ${domain}'}\n"
            cluster.source("app").write(page=text)
            source = {**DIRECTORY, "postBuild": given}
            await cluster.application(spec_source=source, spec_destination={"namespace": "shop"})
            await cluster.settle()
            assert await _page(cluster) == "Hello at shop.example.org"
            site["data"]["greeting"] = "Welcome"
            await cluster.registry.apply(site, field_manager="somebody")
            await cluster.settle()
            assert await _page(cluster) == "Welcome at shop.example.org"
            assert await cluster.sync() == "Synced"

    async def _page(cluster: Cluster) -> str:
        from reconciler.api import kinds

        found = await cluster.registry.get(kinds.CONFIG_MAP, "page", "shop")
        return str(found["data"]["value"])

    run_virtual(story())
