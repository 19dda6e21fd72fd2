"""Applications that the configuration names: checked as a whole, applied in order, paths relative to their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.api import kinds
from reconciler.clock import SeededEntropy, SystemClock
from reconciler.daemon import seeds
from reconciler.errors import ConfigError
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION = """apiVersion: reconciler.dev/v1
kind: Application
metadata: {name: shop}
spec:
  source: {directory: {path: ../shop}, templates: {values: [values.yaml, envs/of-the-source.yaml]}}
"""
REPOSITORY = """apiVersion: reconciler.dev/v1
kind: Application
metadata: {name: shop}
spec:
  source: {git: {url: ../server.git}, templates: {values: [values.yaml]}}
"""
SECRET = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: git}\nstringData: {token: t}\n"


async def test_applications_and_what_they_need_are_applied(tmp_path: Path) -> None:
    folder = tmp_path / "apps"
    folder.mkdir()
    (folder / "shop.yaml").write_text(APPLICATION + SECRET)
    (folder / "values.yaml").touch()
    registry = Registry(MemoryStore(), clock=SystemClock(), entropy=SeededEntropy())
    await registry.start()
    await registry.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    )

    found = seeds.read([str(folder)])
    assert [o["kind"] for o in found] == ["Secret", "Application"]
    await seeds.apply(registry, found)
    app = await registry.get(kinds.APPLICATION, "shop")
    assert app["spec"]["source"]["directory"]["path"] == str(tmp_path / "apps/../shop")
    assert app["spec"]["source"]["templates"]["values"] == [
        str(folder / "values.yaml"),
        "envs/of-the-source.yaml",
    ]

    await seeds.apply(registry, seeds.read([str(folder / "shop.yaml")]))
    again = await registry.get(kinds.APPLICATION, "shop")
    assert again["metadata"]["resourceVersion"] == app["metadata"]["resourceVersion"]
    await registry.close()


def test_a_repository_beside_the_file_and_values_that_lie_in_it(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/shop.yaml").write_text(REPOSITORY)
    (tmp_path / "apps/values.yaml").touch()
    (found,) = seeds.read([str(tmp_path / "apps/shop.yaml")])
    source = found["spec"]["source"]
    assert source["git"]["url"] == (tmp_path / "server.git").as_uri()
    assert source["templates"]["values"] == ["values.yaml"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (APPLICATION.replace("source:", "sauce:"), r'5:3: .*did you mean "source"'),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n", "Pod cannot stand here"),
        ("a: [\n", "shop.yaml:"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as told:
        seeds.read([str(path)])
    assert str(path) in str(told.value)


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        seeds.read([str(tmp_path / "missing")])
