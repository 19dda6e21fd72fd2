"""Feeds made-up bytes to everything that reads manifests, guided by coverage (needs ``pip install atheris``).

    python benchmarks/fuzz_yaml.py [CORPUS_DIRECTORY] -max_total_time=600 -max_len=65536 -timeout=2 -rss_limit_mb=256

An input is a file of a directory: it is read, its places are worked out, it is judged, and its findings are written as
text and with excerpts. Anything but findings (an exception, more than 2 seconds, more memory than is allowed) stops the
run and leaves the input behind.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["reconciler.gitops", "reconciler.cli.validate"]):
    from reconciler.cli.validate import formats
    from reconciler.cli.validate.report import Report, ordered
    from reconciler.gitops import ignores
    from reconciler.gitops.render import render
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import validate

_NAMES = ("a.yaml", "a.json", "a.yaml.j2")


def one(data: bytes) -> None:
    if not data:
        return
    name, body = _NAMES[data[0] % len(_NAMES)], data[1:]
    snapshot = Snapshot("", {name: File(name, sha256(body).hexdigest(), body)})
    rendered = render(snapshot)
    findings = [*rendered.findings, *validate(rendered.documents)]
    text = body.decode("utf-8", "replace")
    kept, silenced = ignores.apply(findings, [(name, text)])
    report = Report(
        (name,), len(rendered.documents), tuple(ordered(kept)), tuple(silenced), lambda _: text
    )
    for form in formats.FORMATS:
        for line in formats.lines(form, report):
            line.encode()
    for document in rendered.documents:
        assert document.positions.of(document.origin).paths()


def main() -> None:
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
