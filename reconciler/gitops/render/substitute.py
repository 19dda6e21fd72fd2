"""``${VAR}`` in documents, as Flux's ``postBuild`` does after a build: opt-in, by object, with findings at the line. Pure.

Flux writes a document out, replaces text and reads it again; here the values of the parsed document are replaced, and
those that stood without quotes are read again: ``replicas: ${N}`` is a number, ``"${N}"`` stays text, and no value can
add a field.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from reconciler.gitops.render import scalar
from reconciler.gitops.render.expression import Malformed, substituted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render.document import Document, Rendered

Path = tuple[str | int, ...]

#: Keeps an object as it is written: Flux's annotation or label, and ours.
DISABLING = ("kustomize.toolkit.fluxcd.io/substitute", "reconciler.dev/substitute")


class Variables(NamedTuple):
    """What expressions may name. ``strict``: an undefined name without a default is an error, else a warning."""

    values: Mapping[str, str]
    strict: bool = False

    @property
    def digest(self) -> str:
        """Tells whether two sets are equal; nobody reads a value out of it."""
        text = json.dumps([sorted(self.values.items()), self.strict])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Made(NamedTuple):
    given: Document
    digest: str
    document: Document | None
    findings: tuple[Finding, ...]


class SubstituteCache:
    """What documents became. With other variables only those that differ are documents anew."""

    def __init__(self) -> None:
        self.kept: dict[int, _Made] = {}


def substitute(
    rendered: Rendered, variables: Variables, cache: SubstituteCache | None = None
) -> Rendered:
    """Return the documents with expressions replaced; one that cannot be is left out and told."""
    if not rendered.substituting:
        return rendered
    cache = cache if cache is not None else SubstituteCache()
    digest = variables.digest
    kept: dict[int, _Made] = {}
    documents: list[Document] = []
    findings = list(rendered.findings)
    for document in rendered.documents:
        if document.origin.file not in rendered.substituting or _is_disabled(document.object):
            documents.append(document)
            continue
        made = cache.kept.get(id(document))
        if made is None or made.given is not document or made.digest != digest:
            made = _make(document, variables, digest, made)
        kept[id(document)] = made
        findings += made.findings
        if made.document is not None:
            documents.append(made.document)
    cache.kept = kept
    return rendered._replace(documents=tuple(documents), findings=tuple(findings))


def _is_disabled(obj: Mapping[str, Any]) -> bool:
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        return False
    given = [meta.get("annotations"), meta.get("labels")]
    return any(isinstance(m, dict) and m.get(k) == "disabled" for m in given for k in DISABLING)


def _make(document: Document, variables: Variables, digest: str, before: _Made | None) -> _Made:
    walk = _Walk(document, variables)
    value = walk.value(document.object, ())
    if any(f.severity == "error" for f in walk.findings):
        return _Made(document, digest, None, tuple(walk.findings))
    made = document if not walk.changed else document.holding(value)
    if before is not None and before.given is document and before.document is not None:
        # Equal to what it was: the very same document, so that nothing is compared anew.
        made = before.document if before.document.object == made.object else made
    return _Made(document, digest, made, tuple(walk.findings))


class _Walk:
    def __init__(self, document: Document, variables: Variables) -> None:
        self._document = document
        self._variables = variables
        self._styles = _Styles(document)
        self.findings: list[Finding] = []
        self.changed = False

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return self._text(value, path) if "${" in value else value
        if isinstance(value, dict):
            return {self._key(k, path): self.value(v, (*path, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(v, (*path, n)) for n, v in enumerate(value)]
        return value

    def _key(self, key: str, path: Path) -> str:
        return str(self._replaced(key, (*path, key), None)) if "${" in key else key

    def _text(self, text: str, path: Path) -> Any:
        style = self._styles.of(path)
        written = self._replaced(text, path, style)
        if style is not None and not style.plain:
            return written
        try:
            return scalar.plain(written)
        except scalar.NotJson as error:
            self._tell("substitute/number", "error", str(error), path, style, text)
            return written

    def _replaced(self, text: str, path: Path, style: _Style | None) -> str:
        self.changed = True
        try:
            written, undefined = substituted(text, self._variables.values)
        except Malformed as error:
            before = text[: error.offset]
            self._tell("substitute/syntax", "error", str(error), path, style, before)
            return text
        severity = "error" if self._variables.strict else "warning"
        for name, offset in undefined:
            told = f"${{{name}}} is not defined" + ("" if self._variables.strict else ": it becomes empty")  # fmt: skip
            hint = f"give it in postBuild, or a default as ${{{name}:-…}}"
            self._tell("substitute/undefined", severity, told, path, style, text[:offset], hint)
        return written

    def _tell(
        self,
        rule: str,
        severity: str,
        message: str,
        path: Path,
        style: _Style | None,
        before: str,
        hint: str = "",
    ) -> None:
        """Add a finding; in a block of text at the very line."""
        found = self._document.finding(rule, severity, message, path, hint)
        if style is not None and style.block and self._document.positions.written is None:
            line = style.line + 1 + before.count("\n")
            found = found._replace(line=line, column=1, end_line=line, end_column=1)
        self.findings.append(found)


class _Style(NamedTuple):
    """How a scalar is written: without quotes, as a literal block; and the line where it begins."""

    plain: bool
    block: bool
    line: int


class _Styles:
    """How a document's scalars with expressions are written, found out when the first one is met."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[Path, _Style] | None = None

    def of(self, path: Path) -> _Style | None:
        origin = self._document.origin
        if self._found is None:
            text = self._document.positions.text()[origin.start : origin.stop]
            self._found = _scalars(text, origin.first_line)
        return self._found.get(path if origin.item is None else ("items", origin.item, *path))


def _scalars(text: str, first_line: int) -> dict[Path, _Style]:
    """Return the values with an expression of a text's first document, by path."""
    found: dict[Path, _Style] = {}
    stack: list[_Frame] = []
    try:
        for event in _events(text):
            if isinstance(event, yaml.DocumentEndEvent):
                break
            if isinstance(event, yaml.CollectionEndEvent):
                stack.pop()
                if stack:
                    stack[-1].done()
            elif isinstance(event, yaml.NodeEvent):
                _node(event, stack, found, first_line)
    except yaml.YAMLError:
        pass  # the reader has told it
    return found


def _node(event: Any, stack: list[_Frame], found: dict[Path, _Style], first_line: int) -> None:
    top = stack[-1] if stack else None
    if top is not None and top.wants_key:
        # A key that is no scalar is an error that the reader tells.
        top.key = _key(event) if isinstance(event, yaml.ScalarEvent) else ""
        top.wants_key = isinstance(event, yaml.CollectionStartEvent)
        if not isinstance(event, yaml.CollectionStartEvent):
            return
    path = top.path() if top is not None else ()
    if isinstance(event, yaml.CollectionStartEvent):
        stack.append(_Frame(path, mapping=isinstance(event, yaml.MappingStartEvent)))
        return
    if isinstance(event, yaml.ScalarEvent) and "${" in event.value:
        mark: Any = event.start_mark
        plain = bool(event.implicit[0]) and event.tag is None
        found[path] = _Style(plain, event.style == "|", mark.line + first_line)
    if top is not None:
        top.done()


def _key(event: yaml.ScalarEvent) -> str:
    """Return a key as the reader names it: ``on`` is "true" in YAML 1.1."""
    if not event.implicit[0] or event.tag is not None:
        return event.value
    try:
        value = scalar.plain(event.value)
    except scalar.NotJson:
        return event.value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _events(text: str) -> Iterable[Any]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.parse(text, Loader=loader)


class _Frame:
    """A mapping or a sequence that is being read."""

    __slots__ = ("_prefix", "index", "key", "mapping", "wants_key")

    def __init__(self, prefix: Path, *, mapping: bool) -> None:
        self._prefix = prefix
        self.mapping = mapping
        self.index = 0
        self.key = ""
        self.wants_key = mapping

    def path(self) -> Path:
        return (*self._prefix, self.key if self.mapping else self.index)

    def done(self) -> None:
        """One value was read."""
        self.index += 1
        self.wants_key = self.mapping
