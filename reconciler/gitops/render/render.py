"""Rendering a snapshot: each file by itself, so that one changed file costs one file."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import schemas
from reconciler.gitops.finding import Finding
from reconciler.gitops.render import reader, sops
from reconciler.gitops.render.document import Document, Origin, Positions, Rendered, item_of
from reconciler.gitops.render.written import blamed
from reconciler.gitops.source.selection import KUSTOMIZATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.gitops.render.template import Templates
    from reconciler.gitops.source import File, Snapshot

#: JSON writes characters beyond U+FFFF as two escapes, which YAML does not know.
_SURROGATES = re.compile(r"(?<!\\)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")

_TYPE = ("apiVersion", "kind")
#: A file of this name is no manifest where it names neither: it says how the others are checked.
_CONFIGURATION = "reconciler.yaml"


class _One(NamedTuple):
    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    encrypted: bool = False
    substituting: bool = False


class RenderCache:
    """What files rendered to. Keep one for each source.

    An unchanged file gives the very same documents again, which what is worked out of them can be kept by.
    """

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, _One]] = {}
        self._last: tuple[Snapshot, str, Rendered] | None = None

    def last(self, snapshot: Snapshot, values: str) -> Rendered | None:
        """Return what the same snapshot gave with the same values."""
        kept = self._last
        return kept[2] if kept is not None and kept[0] is snapshot and kept[1] == values else None

    def prime(
        self, path: str, digest: str, documents: Iterable[Document], findings: Iterable[Finding]
    ) -> None:
        """Take what a file without templates rendered to, as it was found earlier."""
        self._files[path] = (digest, _One(tuple(documents), tuple(findings)))

    def file(self, path: str, digest: str) -> _One | None:
        kept = self._files.get(path)
        return kept[1] if kept is not None and kept[0] == digest else None

    def keep(
        self, files: dict[str, tuple[str, _One]], last: tuple[Snapshot, str, Rendered]
    ) -> None:
        """Keep this, and nothing else: files that are gone are forgotten."""
        self._files, self._last = files, last


def render(
    snapshot: Snapshot,
    *,
    values: Mapping[str, Any] | None = None,
    cache: RenderCache | None = None,
    passed_over: frozenset[str] = frozenset(),
    templates: bool = True,
) -> Rendered:
    """Return every document of a snapshot, in the order of paths, and what is wrong with its files.

    ``passed_over`` are files that are no manifests. Without ``templates`` every other file is one, whatever its name:
    so it is with what a tool has written.
    """
    values = values or {}
    cache = cache if cache is not None else RenderCache()
    given = json.dumps([values, sorted(passed_over), templates], sort_keys=True, default=str)
    again = cache.last(snapshot, given)
    if again is not None:
        return again
    sources = {p: f for p, f in snapshot.files.items() if templates and p.endswith(".j2")}
    sandbox = _sandbox(sources, values)
    shared = _digest_of_templates(sources, given)
    kept: dict[str, tuple[str, _One]] = {}
    documents: list[Document] = []
    findings = [Finding(p.rule, p.severity, p.message, p.path) for p in snapshot.problems]
    for path, file in snapshot.files.items():
        if path in passed_over:
            continue
        # A template may include others: it depends on all of them, and on the values.
        digest = file.digest + shared if path in sources else file.digest
        one = cache.file(path, digest) or _render_file(file, sandbox, plain=not templates)
        kept[path] = (digest, one)
        documents += one.documents
        findings += one.findings
    rendered = Rendered(
        tuple(documents),
        tuple(findings),
        frozenset(path for path, (_, one) in kept.items() if one.encrypted),
        frozenset(path for path, (_, one) in kept.items() if one.substituting),
    )
    cache.keep(kept, (snapshot, given, rendered))
    return rendered


def _sandbox(sources: Mapping[str, File], values: Mapping[str, Any]) -> Templates | None:
    """Return the templates of a snapshot; without any, Jinja2 is not even loaded."""
    if not sources:
        return None
    from reconciler.gitops.render.template import Templates

    return Templates({p: f.data for p, f in sources.items()}, values)


def _digest_of_templates(sources: Mapping[str, File], values: str) -> str:
    lines = [f"{path}\0{file.digest}\0" for path, file in sources.items()]
    text = values + "\0" + "".join(lines)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _render_file(file: File, templates: Templates | None, *, plain: bool) -> _One:
    name = file.path.rpartition("/")[2]
    if not plain and name in KUSTOMIZATIONS:
        told = "this kustomization is not at the source's root: it is not built (spec.source.kustomize.path names one)"
        return _One((), (Finding("source/kustomization", "warning", told, file.path),))
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = file.data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        told = f"byte 0x{file.data[error.start]:02x} is not UTF-8"
        wide = file.data[:2] in (b"\xff\xfe", b"\xfe\xff")
        hint = "save it as UTF-8: this is UTF-16" if wide else ""
        found = Finding("syntax/encoding", "error", told, file.path, line, column, hint=hint)
        return _One((), (found,))
    if templates is not None and file.path.endswith(".j2"):
        return _from_template(file, templates)
    if (
        file.path.endswith(".json")
        and ("\\ud" in text or "\\uD" in text)
        and (rewritten := _SURROGATES.sub(_character, text)) != text
    ):
        return _documents(rewritten, file, Positions(rewritten))
    # A plain file's text is the snapshot's anyway.
    return _documents(text, file, Positions(file))


def _from_template(file: File, templates: Templates) -> _One:
    from reconciler.gitops.render.template import TemplateError

    if file.path.rpartition("/")[2].startswith("_"):
        return _One((), ())  # a partial: only included by others
    try:
        written = templates.render(file.path)
    except TemplateError as error:
        line, source = error.line, templates.source(error.file)
        column, end = blamed(source, line, str(error))
        found = Finding(
            error.rule, "error", str(error), error.file, line, column,
            end_line=line if end else 0, end_column=end,
        )  # fmt: skip
        return _One((), (found,))
    return _documents(written.text, file, Positions(written.text, written))


def _documents(text: str, file: File, positions: Positions) -> _One:
    found, findings = reader.read(text, file.path)
    if positions.written is not None:
        findings = [positions.written.placed(f) for f in findings]
    documents: list[Document] = []
    for index, one in enumerate(found):
        if one.value is None or not one.readable:
            continue
        origin = Origin(
            file.path, one.line, one.column, index, None, one.start, one.stop, one.first_line
        )
        if not isinstance(one.value, dict):
            told = f"expected an object, got {schemas.describe(one.value)}"
            findings.append(Document({}, origin, positions).finding("schema/type", "error", told))
            continue
        if one.value.keys().isdisjoint(_TYPE) and file.path.rpartition("/")[2] == _CONFIGURATION:
            continue
        document = Document(one.value, origin, positions)
        missing = [f for f in _TYPE if not _is_word(one.value.get(f))]
        if missing:
            told = (
                f"missing field {' and '.join(missing)}: every manifest needs apiVersion and kind"
            )
            findings.append(document.finding("schema/missing-type", "error", told))
        elif _is_list(one.value):
            documents += _items(document, one.items, findings)
        else:
            documents.append(document)
    return _One(tuple(documents), tuple(findings), sops.PREFIX in text, "${" in text)


def _is_list(obj: dict[str, Any]) -> bool:
    """Whether a document only holds others: a ``List``, or one of a kind as ``kubectl get --raw`` writes it."""
    kind = obj["kind"]
    if kind == "List" and obj["apiVersion"] == "v1":
        return True
    return bool(kind != "List" and kind.endswith("List") and isinstance(obj.get("items"), list))


def _items(
    listed: Document, places: tuple[tuple[int, int], ...], findings: list[Finding]
) -> list[Document]:
    """Return the items of a ``List`` as documents of their own."""
    documents = []
    items = listed.object.get("items")
    if not isinstance(items, list):
        if items is not None:
            told = f"expected an array, got {schemas.describe(items)}"
            findings.append(listed.finding("schema/type", "error", told, ("items",)))
        return []
    for number, item in enumerate(items):
        # A list that an alias or a merge key brought in stands elsewhere.
        line, column = places[number] if number < len(places) else listed.origin[1:3]
        origin = listed.origin._replace(line=line, column=column, item=number)
        obj = item_of(listed.object, item)
        document = Document(obj if isinstance(obj, dict) else {}, origin, listed.positions)
        if not _is_word(document.object.get("kind")) or not _is_word(
            document.object.get("apiVersion")
        ):
            told = "every item of a List needs apiVersion and kind"
            findings.append(document.finding("schema/missing-type", "error", told))
            continue
        documents.append(document)
    return documents


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _character(pair: re.Match[str]) -> str:
    high, low = int(pair[1], 16), int(pair[2], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
