"""One schema, compiled: ``jsonschema_rs`` decides (microseconds an object) and says where; the words are ours.

Where it is not installed, or its path through the schema cannot be followed, ``jsonschema`` says where: thirty times slower.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.schemas.custom_values import MARK, as_read, has_lists, repeated
from reconciler.api.schemas.explain import SchemaError, explain
from reconciler.api.schemas.formats import FORMATS
from reconciler.api.schemas.pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.api.objects import Object
    from reconciler.api.schemas.cel import Outcome

#: So many are found in one object: nobody reads a hundred thousand, and each takes its time to be worded. One more than
#: are told of a document, so that it is seen that there are more.
MOST_ERRORS = 201


def _compile(schema: dict[str, Any]) -> Any:
    """Return a schema as ``jsonschema_rs`` compiles it; None where that is missing. Raises ``ValueError``."""
    try:
        import jsonschema_rs
    except ImportError:
        return None
    formats = dict(FORMATS)
    try:
        # The author of a schema may be anybody: its patterns are matched in linear time.
        return jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, formats=formats,
            pattern_options=jsonschema_rs.RegexOptions(),
        )  # fmt: skip
    except ValueError:
        # A pattern that looks around is none of Kubernetes', but may be one of another author's schema.
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, formats=formats)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ARG001
    """Explain ``pattern``, not by backtracking either."""
    import jsonschema

    if isinstance(instance, str) and not _matcher(pattern)(instance):
        yield jsonschema.ValidationError(f"does not match {pattern}")


@functools.lru_cache(256)
def _matcher(pattern: str) -> Callable[[str], bool]:
    found = _compile({"pattern": pattern})
    if found is not None:
        check: Callable[[str], bool] = found.is_valid
        return check
    plain = re.compile(pattern)
    return lambda text: plain.search(text) is not None


class Validator:
    """Says whether objects keep to a schema, and what they do not keep to. Compiled when first asked."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    @functools.cached_property
    def is_valid(self) -> Callable[[Object], bool]:
        """Whether an object keeps to the schema."""
        compiled = self._compiled if self._compiled is not None else self._explainer
        check: Callable[[Object], bool] = compiled.is_valid
        return self._of_custom_kind(check) if MARK in self.schema else check

    def _of_custom_kind(self, check: Callable[[Object], bool]) -> Callable[[Object], bool]:
        lists = has_lists(self.schema)

        def is_valid(obj: Object) -> bool:
            # Nulls are rare: what is right as it stands needs no second look for them.
            if not (check(obj) or check(as_read(obj, self.schema))):
                return False
            return not (lists and any(repeated(obj, self.schema)))

        return is_valid

    @functools.cached_property
    def _compiled(self) -> Any:
        return _compile(self.schema)

    @functools.cached_property
    def _explainer(self) -> Any:
        import jsonschema

        checker = jsonschema.FormatChecker(formats=())
        for name, is_right in FORMATS.items():
            checker.checks(name)(is_right)
        extend: Any = jsonschema.validators.extend
        explaining = extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
        return explaining(self.schema, format_checker=checker)

    @functools.cached_property
    def has_rules(self) -> bool:
        """Whether the schema carries rules in CEL."""
        from reconciler.api.schemas.cel import has_rules

        return has_rules(self.schema)

    def rules(self, obj: Object, old: Object | None = None) -> Outcome:
        """Return what the schema's rules in CEL say of an object that keeps to the rest of it."""
        from reconciler.api.schemas.cel import Outcome, check

        if not self.has_rules:
            return Outcome()
        if MARK in self.schema:
            obj = as_read(obj, self.schema)
        return check(self.schema, obj, old)

    def errors(self, obj: Object) -> list[SchemaError]:
        """Return what in an object the schema does not allow, in order of the path: ``MOST_ERRORS`` at most."""
        if self.is_valid(obj):
            return []
        twice: list[SchemaError] = []
        if MARK in self.schema:
            obj = as_read(obj, self.schema)
            found = itertools.islice(repeated(obj, self.schema), MOST_ERRORS)
            twice = [SchemaError(at, "uniqueItems", f"Duplicate value: {key}") for at, key in found]
            if twice and self._keeps(obj):
                return twice
        return [
            *_sorted(
                self._located(obj)
                or itertools.islice(self._explainer.iter_errors(obj), MOST_ERRORS)
            ),
            *twice,
        ]

    def _keeps(self, obj: Object) -> bool:
        """Whether an object keeps to the schema as JSON Schema has it."""
        compiled = self._compiled if self._compiled is not None else self._explainer
        return bool(compiled.is_valid(obj))

    def _located(self, obj: Object) -> list[_Located]:
        """Return what the compiled schema finds; nothing where its way through the schema cannot be followed."""
        if self._compiled is None:
            return []
        found: list[_Located] = []
        try:
            for piece in pieces(obj):
                for error in self._compiled.iter_errors(piece.object):
                    path = piece.path(error.instance_path)
                    if path is not None:
                        found.append(self._at(obj, path, error.schema_path))
                    if len(found) == MOST_ERRORS:
                        return found
            # There are few in its parts: those of the whole are few as well.
            errors = itertools.islice(self._compiled.iter_errors(obj), MOST_ERRORS)
            return [self._at(obj, tuple(e.instance_path), e.schema_path) for e in errors]
        except (KeyError, IndexError, TypeError, ValueError):
            return []

    def _at(self, obj: Object, path: tuple[str | int, ...], way: Iterable[str | int]) -> _Located:
        """Return what ``explain`` reads. Raises ``KeyError`` and the like where a path leads nowhere."""
        *inside, last = way
        keyword = str(last)
        part: Any = obj
        for name in path:
            part = part[name]
        schema = self._followed(inside)
        return _Located(path, keyword, part, schema, schema[keyword])

    def _followed(self, way: Iterable[str | int]) -> dict[str, Any]:
        """Return the part of the schema that a path leads to. Raises ``KeyError`` and the like where it leads nowhere."""
        part: Any = self.schema
        for name in way:
            part = part[name]
            if name == "$ref" and isinstance(part, str):
                root, *names = part.split("/")
                if root != "#":
                    raise KeyError(part)
                part = self.schema
                for inner in names:
                    part = part[inner.replace("~1", "/").replace("~0", "~")]
        if not isinstance(part, dict):
            raise TypeError(part)
        return part


class _Located(NamedTuple):
    """What ``explain`` reads of an error of ``jsonschema``."""

    absolute_path: tuple[str | int, ...]
    validator: str
    instance: Any
    schema: dict[str, Any]
    validator_value: Any


def _sorted(errors: Iterable[Any]) -> list[SchemaError]:
    found = set(itertools.islice((e for error in errors for e in explain(error)), MOST_ERRORS))
    return sorted(found, key=lambda e: ([str(p) for p in e.path], e.message))
