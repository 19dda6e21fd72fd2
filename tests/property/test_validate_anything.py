"""Whatever bytes a file holds: findings come of it, in every format, and a place for each of them."""

from __future__ import annotations

from hashlib import sha256

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.cli.validate import formats
from reconciler.cli.validate.findings import ordered
from reconciler.cli.validate.report import Report
from reconciler.gitops import ignores
from reconciler.gitops.render import render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import validate

_words = st.sampled_from(
    ["apiVersion", "kind", "metadata", "name", "spec", "template", "containers", "data", "items",
     "v1", "apps/v1", "Pod", "Deployment", "Service", "List", "Secret", "ConfigMap", "a", "ports"],
) | st.text(max_size=5)  # fmt: skip
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _words,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(_words, inside, max_size=4),
    max_leaves=15,
)
_manifests = st.builds(
    lambda kind, rest: yaml.safe_dump({**kind, **rest}, allow_unicode=True).encode("utf-8", "replace"),
    st.sampled_from([
        {"apiVersion": "v1", "kind": "Pod"}, {"apiVersion": "apps/v1", "kind": "Deployment"},
        {"apiVersion": "v1", "kind": "Service"}, {"apiVersion": "v1", "kind": "List"},
        {"apiVersion": "v1", "kind": "Secret"}, {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"},
    ]),
    st.dictionaries(st.sampled_from(["metadata", "spec", "data", "items", "x"]), _values),
)  # fmt: skip


@settings(deadline=None)
@given(
    st.sampled_from(["a.yaml", "a.json", "a.yaml.j2"]),
    st.binary(max_size=80)
    | _manifests
    | st.text("{%}-# \nab:'\"|_[]&*", max_size=60).map(str.encode),
)
def test_anything_gives_findings_in_every_format(name: str, data: bytes) -> None:
    rendered = render(Snapshot("", {name: File(name, sha256(data).hexdigest(), data)}))
    found = [*rendered.findings, *validate(rendered.documents)]
    text = data.decode("utf-8", "replace")
    kept, silenced = ignores.apply(found, [(name, text)])
    assert all(f.line >= 1 and f.column >= 1 and f.message for f in kept)
    report = Report((name,), 0, ordered(kept), tuple(silenced), lambda _: text)
    for form in formats.FORMATS:
        for line in formats.lines(form, report):
            formats.plain(line).encode()
