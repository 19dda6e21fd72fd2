"""Structured logs: one line an event on stderr, readable on a terminal, JSON for collectors, without secrets."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO

import structlog

from reconciler.telemetry.redact import redacted

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

#: Names of levels by how much is said: -1 quiet, 0, 1, 2.
LEVELS = {-1: "error", 0: "warning", 1: "info", 2: "debug"}

_NUMBERS = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}


def configure(level: str = "warning", *, json: bool = False, stream: TextIO | None = None) -> None:
    """Set up logging for this process; may be called again to change it.

    ``level`` is error, warning, info or debug.
    """
    stream = stream or sys.stderr
    number = _NUMBERS[level]
    ending: list[Processor]
    if json:
        ending = [
            structlog.processors.format_exc_info,
            _redact,
            structlog.processors.JSONRenderer(),
        ]
    elif stream.isatty():
        ending = [_redact, structlog.dev.ConsoleRenderer(colors=True)]
    else:
        ending = [structlog.processors.format_exc_info, _redact, _line]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *ending,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
    )
    # What libraries say through the standard library's logging.
    logging.basicConfig(
        stream=stream, level=max(number, logging.WARNING), force=True,
        format="%(asctime)s [%(levelname)s] %(name)s: %(message)s",
    )  # fmt: skip


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: redacted(key, value) for key, value in event.items()}


def _line(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Render for a file: time, level, event, then ``key=value``; a traceback on lines of its own."""
    trace = event.pop("exception", None)
    head = f"{event.pop('timestamp')} [{event.pop('level'):<7}] {event.pop('event')}"
    pairs = " ".join(f"{key}={_shown(value)}" for key, value in event.items())
    return "\n".join(filter(None, (f"{head} {pairs}".rstrip(), trace)))


def _shown(value: object) -> str:
    text = str(value)
    return text if text and not (set(text) & set(" \n\t\"'=")) else repr(text)
