"""What is said of an outcome: its name, a text out of a sandboxed template, JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.clock import rfc3339
from reconciler.errors import ConfigError
from reconciler.gitops.engine.outcomes import Outcome, OutcomeKind
from reconciler.gitops.render.template import TemplateError, Templates

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The events that are told of, by what the engine calls them.
EVENTS: Mapping[OutcomeKind, str] = {
    OutcomeKind.STARTED: "sync-started",
    OutcomeKind.SUCCEEDED: "sync-succeeded",
    OutcomeKind.FAILED: "sync-failed",
    OutcomeKind.INVALID: "invalid",
    OutcomeKind.HEALTHY: "healthy",
    OutcomeKind.DEGRADED: "degraded",
    OutcomeKind.DRIFT: "drift",
    OutcomeKind.HELD: "held",
    OutcomeKind.ROLLED_BACK: "rolled-back",
}
#: What is told where a notification does not say.
DEFAULT = ("sync-failed", "invalid", "degraded", "held", "rolled-back")

TEMPLATE = (
    "{{ application }}: {{ event }}{% if revision %} at {{ revision[:12] }}{% endif %}"
    "{% if title %} ({{ title }}{% if author %}, {{ author }}{% endif %}){% endif %}"
    "{% if message %}\n{{ message }}{% endif %}"
)
_LONGEST = 4000

#: What an event takes back: after it the other is news again.
_ENDS: Mapping[OutcomeKind, frozenset[OutcomeKind]] = {
    OutcomeKind.SUCCEEDED: frozenset({OutcomeKind.FAILED, OutcomeKind.INVALID, OutcomeKind.DRIFT, OutcomeKind.HELD}),
    OutcomeKind.FAILED: frozenset({OutcomeKind.SUCCEEDED}),
    OutcomeKind.HEALTHY: frozenset({OutcomeKind.DEGRADED}),
    OutcomeKind.DEGRADED: frozenset({OutcomeKind.HEALTHY}),
}  # fmt: skip


class Message(NamedTuple):
    """One thing to tell. ``id`` is the same for every try, so that a receiver can tell them apart from news."""

    id: str
    event: str
    text: str
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """Return the body of a generic webhook."""
        return {
            "id": self.id,
            "event": self.event,
            "time": rfc3339(self.outcome.at),
            "text": self.text,
            **facts(self.outcome),
        }


def facts(outcome: Outcome) -> dict[str, Any]:
    """Return what a template can name."""
    app = outcome.application
    status, spec = app.get("status") or {}, app.get("spec") or {}
    return {
        "application": outcome.name,
        "namespace": (spec.get("destination") or {}).get("namespace") or "default",
        "revision": outcome.revision,
        "message": outcome.message[:_LONGEST],
        "author": outcome.author,
        "title": outcome.title.partition("\n")[0],
        "trigger": outcome.trigger,
        "seconds": outcome.seconds,
        "sync": str((status.get("sync") or {}).get("status") or ""),
        "health": str((status.get("health") or {}).get("status") or ""),
    }


def text(template: str, outcome: Outcome) -> str:
    """Return what a template says of an outcome; one that fails says so, after the default text."""
    values = {"event": EVENTS[outcome.kind], **facts(outcome)}
    try:
        return _written(template or TEMPLATE, values)
    except TemplateError as error:
        return f"{_written(TEMPLATE, values)}\n(the template failed in line {error.line}: {error})"


def check(template: str, name: str) -> None:
    """Raise ``ConfigError`` for a template that cannot be rendered."""
    app = {"metadata": {"name": "app"}}
    sample = Outcome(OutcomeKind.FAILED, app, "0" * 40, "message", 0.0, "author", "title", "poll", 1.0)  # fmt: skip
    try:
        _written(template, {"event": "sync-failed", **facts(sample)})
    except TemplateError as error:
        raise ConfigError(f"notification {name}: template line {error.line}: {error}") from error


def _written(template: str, values: dict[str, Any]) -> str:
    return (
        Templates({"template": template.encode()}, values).render("template").text[: 2 * _LONGEST]
    )


class Told:
    """What one channel was told last of each Application: what comes again and again is told once."""

    def __init__(self) -> None:
        self._last: dict[str, dict[OutcomeKind, tuple[str, str]]] = {}

    def is_news(self, outcome: Outcome) -> bool:
        """Whether an outcome differs from what was told; remembers it."""
        known = self._last.setdefault(outcome.name, {})
        for kind in _ENDS.get(outcome.kind, ()):
            known.pop(kind, None)
        what = (outcome.revision, outcome.message)
        if outcome.kind is not OutcomeKind.STARTED and known.get(outcome.kind) == what:
            return False
        known[outcome.kind] = what
        return True
