"""What is packed is what was known; blocks keep their borders while files come and go; documents take hardly any memory."""

from __future__ import annotations

import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.validate import blocks, findings, making
from reconciler.cli.validate.blocks import Block
from reconciler.cli.validate.check import check
from reconciler.cli.validate.load import Options, read_path
from reconciler.cli.validate.records import FileRecord, record
from reconciler.gitops.source import File

EXAMPLES = Path(__file__).parents[4] / "examples"

#: What asks for others in every way, and what has no name of its own.
ASKING = """\
apiVersion: v1
kind: Pod
metadata: {generateName: p-, labels: {app: p}}
spec:
  serviceAccountName: s
  containers:
  - {name: c, image: i, ports: [{name: http, containerPort: 80}], envFrom: [{configMapRef: {name: a}}]}
  volumes: [{name: v, secret: {secretName: s, items: [{key: k, path: p}]}}]
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: n}
spec: {type: NodePort, selector: {app: p}, ports: [{port: 80, targetPort: http, nodePort: 30080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, annotations: {cert-manager.io/issuer: x}}
spec:
  tls: [{secretName: t}]
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}}
---
apiVersion: a.io/v1
kind: Thing
metadata: {name: t}
---
apiVersion: v1
kind: Secret
metadata: {name: broken}
datum: {}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.a.io}
spec:
  group: a.io
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
---
apiVersion: v1
kind: ConfigMap
"""


def files_of_examples() -> list[File]:
    texts = {"asking.yaml": ASKING.encode(), "sealed.yaml": b"a: ENC[AES256_GCM,data:x]\n"}
    texts |= {str(path): path.read_bytes() for path in sorted(EXAMPLES.rglob("*.yaml"))}
    return [File(path, sha256(data).hexdigest(), data) for path, data in texts.items()]


def test_what_is_packed_is_what_was_known() -> None:
    files = files_of_examples()
    known = record(files, frozenset())
    records = [known[file.path] for file in files]
    assert any(not r.whole for r in records)
    assert any(v.defines for r in records for _, _, v in r.documents)
    block = blocks.pack(files, records)
    assert blocks.records(block) == {(f.path, f.digest): known[f.path] for f in files}
    assert block.documents == sum(len(r.documents) for r in records)
    assert [p for p, whole, _ in blocks.opened(block).files if not whole] == list(block.partial)
    again = Block._make(tuple(block))
    assert [head.path for head in blocks.heads(again)] == [file.path for file in files]


_paths = st.sets(st.text("abc/", min_size=1, max_size=4)).map(sorted)


@given(_paths, _paths, st.integers(1, 3))
def test_every_file_is_in_one_unit_and_borders_stay(
    before: list[str], now: list[str], size: int
) -> None:
    usual, blocks.FILES = blocks.FILES, size
    try:
        first = list(making.units(before, []))
        earlier = [
            blocks.pack([File(p, "00", b"") for p in unit.paths], [FileRecord()] * len(unit.paths))
            for unit in first
        ]
        units = list(making.units(now, earlier))
        same = list(making.units(before, earlier))
    finally:
        blocks.FILES = usual
    assert [path for unit in units for path in unit.paths] == now
    assert all(1 <= len(unit.paths) <= 2 * size for unit in units)
    assert [(unit.paths, unit.earlier) for unit in same] == [
        (unit.paths, block) for unit, block in zip(first, earlier, strict=True)
    ]
    for unit in units:
        for block in earlier:
            # What is in an earlier block is looked for there.
            if set(unit.paths) & {head.path for head in blocks.heads(block)}:
                assert unit.earlier is block


@pytest.mark.parametrize("references", [False, True])
def test_twice_the_documents_take_hardly_more_memory(
    tmp_path: Path, references: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "_SORTED", 64)

    def peak(folder: Path) -> int:
        read = [read_path(folder)]
        tracemalloc.start()
        checked = check(read, Options(references=references), jobs=1)
        assert len(checked.findings) == checked.documents / 2
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    for name, many in (("few", 600), ("many", 1200)):
        (tmp_path / name).mkdir()
        for number in range(many):
            (tmp_path / name / f"{number:04}.yaml").write_text(
                f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c-{number}, labels: {{a: v-{number}}}}}\n"
                + ("datum: {}\n" if number % 2 else "data: {k: v}\n")
            )
    peak(tmp_path / "few")  # schemas are loaded, once
    # Some 250 bytes each, and what caches of a fixed size hold until they are full; as objects they took 3,300.
    assert peak(tmp_path / "many") - peak(tmp_path / "few") < 600 * 1000
