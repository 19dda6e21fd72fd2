"""One schema, compiled: ``jsonschema_rs`` decides (microseconds an object), ``jsonschema`` explains what is wrong."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from reconciler.api.schemas.explain import SchemaError, explain
from reconciler.api.schemas.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object
    from reconciler.api.schemas.cel import Outcome


class Validator:
    """Says whether objects keep to a schema, and what they do not keep to. Compiled when first asked."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    @functools.cached_property
    def is_valid(self) -> Callable[[Object], bool]:
        """Whether an object keeps to the schema."""
        try:
            import jsonschema_rs
        except ImportError:
            return self._explainer.is_valid  # type: ignore[no-any-return]
        check: Callable[[Object], bool] = jsonschema_rs.Draft202012Validator(
            self.schema, validate_formats=True, formats=dict(FORMATS)
        ).is_valid
        return check

    @functools.cached_property
    def _explainer(self) -> Any:
        import jsonschema

        checker = jsonschema.FormatChecker(formats=())
        for name, is_right in FORMATS.items():
            checker.checks(name)(is_right)
        return jsonschema.Draft202012Validator(self.schema, format_checker=checker)

    @functools.cached_property
    def has_rules(self) -> bool:
        """Whether the schema carries rules in CEL."""
        from reconciler.api.schemas.cel import has_rules

        return has_rules(self.schema)

    def rules(self, obj: Object, old: Object | None = None) -> Outcome:
        """Return what the schema's rules in CEL say of an object that keeps to the rest of it."""
        from reconciler.api.schemas.cel import Outcome, check

        return check(self.schema, obj, old) if self.has_rules else Outcome()

    def errors(self, obj: Object) -> list[SchemaError]:
        """Return everything in an object that the schema does not allow, in order of the path."""
        if self.is_valid(obj):
            return []
        found = {e for error in self._explainer.iter_errors(obj) for e in explain(error)}
        return sorted(found, key=lambda e: ([str(p) for p in e.path], e.message))
