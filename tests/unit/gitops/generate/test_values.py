"""Values of templates: layered, with the place of each mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.gitops.generate import layered
from tests.unit.gitops.generate.building import Source, write

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {{ values.data | to_json }}\n"
)


async def test_files_in_order_then_set(tmp_path: Path) -> None:
    tree = write(
        tmp_path / "s",
        {
            "a.yaml.j2": TEMPLATE,
            "values.yaml": "data: {a: base, b: base, c: base, d: base}\n",
            "envs/prod.yaml": "data: {b: prod, c: prod}\n",
        },
    )
    outside = write(tmp_path / "machine", {"here.yaml": "data: {c: here}\n"}) / "here.yaml"
    templates = {"values": ["values.yaml", "envs/prod.yaml", str(outside)], "set": {"data": {"d": "set"}}}  # fmt: skip
    (found,) = await Source(tree, tmp_path / "x").objects({"templates": templates})
    assert found["data"] == {"a": "base", "b": "prod", "c": "here", "d": "set"}


async def test_values_of_other_environments_are_no_manifests_and_a_manifest_beside_them_is_one(
    tmp_path: Path,
) -> None:
    tree = write(
        tmp_path / "s",
        {
            "a.yaml.j2": TEMPLATE,
            "envs/prod.yaml": "data: {b: prod}\n",
            "envs/staging.yaml": "data: {b: staging}\n",
            "envs/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
            "other/values.yaml": "data: {}\n",
        },
    )
    source = Source(tree, tmp_path / "x")
    built = await source.build({"templates": {"values": ["envs/prod.yaml"]}})
    assert [d.object["kind"] for d in built.rendered.documents] == ["ConfigMap", "Namespace"]
    assert [(f.rule, f.file) for f in built.rendered.findings] == [
        ("schema/missing-type", "other/values.yaml")
    ]


async def test_mistakes_have_their_place(tmp_path: Path) -> None:
    files = {
        "a.yaml": "a: 1\na: 2\n",
        "b.yaml": "- 1\n",
        "c.yaml": "x: 1\n---\ny: 1\n",
        "d.yaml": "{",
    }
    tree = write(tmp_path / "s", files)
    templates = {"values": [*files, "gone.yaml", str(tmp_path / "gone.yaml"), "../up.yaml"]}
    told = await Source(tree, tmp_path / "x").told({"templates": templates})
    assert told == [
        ("syntax/duplicate-key", "a.yaml", 2),
        ("values/type", "b.yaml", 1),
        ("values/type", "c.yaml", 3),
        ("syntax/yaml", "d.yaml", 2),
        ("values/missing", "gone.yaml", 1),
        ("values/missing", str(tmp_path / "gone.yaml"), 1),
        ("values/missing", "../up.yaml", 1),
    ]


values = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(mappings, mappings, mappings)
def test_layering_is_associative_and_the_last_wins(a: Any, b: Any, c: Any) -> None:
    assert layered(layered(a, b), c) == layered(a, layered(b, c)) or _mixed(a, b, c)
    assert layered(a, {}) == a == layered({}, a)
    for key, value in b.items():
        if not isinstance(value, dict):
            assert layered(a, b)[key] == value


def _mixed(a: Any, b: Any, c: Any) -> bool:
    """A mapping over a word over a mapping: what the word replaced does not come back."""
    return any(isinstance(a.get(k), dict) and isinstance(c.get(k), dict) and k in b for k in a)
