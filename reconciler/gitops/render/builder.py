"""Building one document's value out of libyaml's events: JSON and nothing else, bounded in size and depth. Pure."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.api.objects import copy
from reconciler.gitops.finding import MOST_FINDINGS, Finding
from reconciler.gitops.render import scalar

#: Values of one document with all aliases written out, and how deep values may lie.
MOST_VALUES = 200_000
DEEPEST = 100


class Refused(Exception):
    """A document cannot be read: by which rule, why, where, and what to do."""

    def __init__(self, rule: str, message: str, mark: Any, hint: str = "") -> None:
        super().__init__(message)
        self.rule = rule
        self.mark = mark
        self.hint = hint


class Text(NamedTuple):
    """A text, or what remains of one behind a part that is not YAML."""

    text: str
    file: str
    start: int = 0  # characters before it
    line: int = 0  # lines before it
    slashes: bool = False  # whether it may hold the escape that Go's YAML does not know

    def finding(self, rule: str, message: str, mark: Any, hint: str = "") -> Finding:
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        return Finding(
            rule, "error", message, self.file, line + self.line + 1, column + 1, hint=hint
        )


class Builder:
    """Builds one document out of events."""

    def __init__(self, events: Any, given: Text, findings: list[Finding]) -> None:
        self._next = events.get_event
        self._given = given
        self._findings = findings
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._values = 0
        #: Where the items of a List begin: each is an object of its own.
        self.items: list[tuple[int, int]] = []
        self._listed = False
        self._slashes = given.slashes

    def value(self, event: Any, depth: int) -> Any:
        """Build what an event begins."""
        self._values += 1
        if self._values > MOST_VALUES:
            self._count(0, event)
        kind = event.__class__
        if kind is ScalarEvent:
            built = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = (built, 1)
            return built
        if kind is AliasEvent:
            return self._alias(event)
        if depth > DEEPEST:
            raise Refused("syntax/depth", f"deeper than {DEEPEST} levels", event.start_mark)
        make = self._mapping if kind is MappingStartEvent else self._sequence
        if not event.anchor:
            return make(depth + 1)
        self._anchors[event.anchor] = None
        before = self._values
        built = make(depth + 1)
        self._anchors[event.anchor] = (built, self._values - before + 1)
        return built

    def _count(self, values: int, event: Any) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            said = f"more than {MOST_VALUES} values, with every alias written out"
            raise Refused("syntax/alias-bomb", said, event.start_mark)

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise Refused("syntax/alias", f"there is no anchor &{event.anchor}", event.start_mark)
        kept = self._anchors[event.anchor]
        if kept is None:
            raise Refused(
                "syntax/alias", f"the alias *{event.anchor} contains itself", event.start_mark
            )
        self._count(kept[1], event)
        return copy(kept[0])

    def _sequence(self, depth: int) -> list[Any]:
        built: list[Any] = []
        listed, self._listed = self._listed, False
        while (event := self._next()).__class__ is not SequenceEndEvent:
            if listed:
                mark = event.start_mark
                self.items.append((mark.line + self._given.line + 1, mark.column + 1))
            built.append(self.value(event, depth))
        return built

    def _mapping(self, depth: int) -> dict[str, Any]:
        built: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        following, short, is_text = self._next, scalar.short, scalar.is_text
        earlier = keys.setdefault
        quick = not self._slashes
        spared = 0
        while (event := following()).__class__ is not MappingEndEvent:
            # Nearly every key is a word of letters: it is spared a call.
            if (
                quick
                and event.__class__ is ScalarEvent
                and event.tag is None is event.anchor
                and len(key := event.value) <= scalar.SHORT
                and is_text(key)
            ):
                pass
            else:
                key = self.key(event)
            if (first := earlier(key, event)) is not event:
                self._twice(key, first, event)
            if key == "<<" and is_merge(event):
                for part in self._merged(depth):
                    merged = {**part, **merged}
                continue
            value = following()
            # Nearly everything in a manifest is a key with one word behind it: spared two calls each.
            if quick and value.__class__ is ScalarEvent and value.tag is None is value.anchor:
                text = value.value
                if not value.implicit[0]:
                    built[key] = text
                    spared += 1
                    continue
                if len(text) <= scalar.SHORT:
                    try:
                        built[key] = short(text)
                    except scalar.NotJson:
                        pass  # told below, with its place
                    else:
                        spared += 1
                        continue
            if depth == 1 and key == "items" and value.__class__ is SequenceStartEvent:
                self._listed = True
            built[key] = self.value(value, depth)
        self._count(spared, event)
        return {**merged, **built} if merged else built

    def _twice(self, key: str, first: Any, event: Any) -> None:
        line = first.start_mark.line + self._given.line + 1
        said = f'key "{key}" is already set in this mapping (line {line})'
        self._tell("syntax/duplicate-key", said, event, "remove one of the two")

    def _merged(self, depth: int) -> list[dict[str, Any]]:
        """Return the mappings that a merge key brings in, the first one first."""
        event = self._next()
        value = self.value(event, depth)
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(p, dict) for p in parts):
            said = "<< needs a mapping, or a list of mappings"
            raise Refused("syntax/yaml", said, event.start_mark)
        return parts

    def key(self, event: Any) -> str:
        """Return the key that an event holds."""
        value: Any
        if event.__class__ is ScalarEvent:
            value = event.value
            if event.tag is None is event.anchor and not self._slashes:
                if not event.implicit[0] or (len(value) <= scalar.SHORT and scalar.is_text(value)):
                    return str(value)
            elif is_merge(event):
                return "<<"
            value = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = (value, 1)
        elif event.__class__ is AliasEvent:
            value = self._alias(event)
        else:
            hint = "quote a value that begins with {{ or {"
            raise Refused("syntax/key", "a key must be text", event.start_mark, hint)
        if isinstance(value, bool):
            return "true" if value else "false"
        if value is None or isinstance(value, list | dict):
            raise Refused("syntax/key", "a key must be text, not null", event.start_mark)
        return str(value)

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if self._slashes and event.style == '"' and "/" in event.value:
            self._check_escapes(event)
        try:
            if tag is None:
                return scalar.plain(event.value) if event.implicit[0] else event.value
            return scalar.tagged(tag, event.value)
        except scalar.NotJson as error:
            self._tell("syntax/number", str(error), event, "quote it, if it is text")
            return event.value

    def _check_escapes(self, event: Any) -> None:
        written = self._given.text[event.start_mark.index : event.end_mark.index]
        if _SLASH.search(written):
            said = r"the escape \/ is not known to Kubernetes' YAML, only to JSON"
            self._tell("syntax/yaml", said, event, "write / without the backslash")

    def _tell(self, rule: str, message: str, event: Any, hint: str = "") -> None:
        # Made at once: a text may hold as many mistakes as words.
        if len(self._findings) >= MOST_FINDINGS:
            return
        start, end, lines = event.start_mark, event.end_mark, self._given.line + 1
        self._findings.append(
            Finding(
                rule, "error", message, self._given.file, start.line + lines, start.column + 1,
                hint=hint, end_line=end.line + lines, end_column=end.column + 1,
            )
        )  # fmt: skip


_SLASH = re.compile(r"(?<!\\)(?:\\\\)*\\/")


def is_merge(event: Any) -> bool:
    if event.__class__ is not ScalarEvent or event.value != "<<":
        return False
    return event.tag == "tag:yaml.org,2002:merge" or (event.tag is None and event.implicit[0])
