"""Rules of probes and of lifecycle hooks: exactly one handler, and what it needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    each,
    forbidden,
    invalid,
    not_negative,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBE = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK = ("exec", "httpGet", "tcpSocket", "sleep")
_HEADER = re.compile(r"[-A-Za-z0-9]+\Z")


def probe(one: Part, kind: str, path: Path, *, grace: int) -> Iterator[Problem]:
    """Yield what is wrong with a probe. ``kind``: livenessProbe, readinessProbe, startupProbe."""
    yield from _handler(one, path, _PROBE, grace)
    yield from not_negative(
        "probe-number", one, path,
        "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
    )  # fmt: skip
    if kind != "readinessProbe" and (one.get("successThreshold") or 1) != 1:
        yield invalid(
            "probe-number", (*path, "successThreshold"), one["successThreshold"], "must be 1"
        )
    own = one.get("terminationGracePeriodSeconds")
    if own is not None and kind == "readinessProbe":
        told = "must not be set for readinessProbes"
        yield invalid("probe-number", (*path, "terminationGracePeriodSeconds"), own, told)
    elif own is not None and own <= 0:
        yield invalid(
            "probe-number", (*path, "terminationGracePeriodSeconds"), own, "must be greater than 0"
        )


def lifecycle(hooks: Part, path: Path, *, grace: int) -> Iterator[Problem]:
    """Yield what is wrong with a container's hooks."""
    for field in ("postStart", "preStop"):
        if hooks.get(field) is not None:
            yield from _handler(hooks[field], (*path, field), _HOOK, grace)


def _handler(one: Part, path: Path, kinds: tuple[str, ...], grace: int) -> Iterator[Problem]:
    found = [k for k in kinds if one.get(k) is not None]
    if not found:
        yield required("handler", path, "must specify a handler type")
        return
    for extra in found[1:]:
        yield forbidden("handler", (*path, extra), "may not specify more than 1 handler type")
    handler, here = one[found[0]], (*path, found[0])
    match found[0]:
        case "exec":
            if not handler.get("command"):
                yield required("handler", (*here, "command"))
        case "httpGet":
            yield from _port(handler, here)
            yield from _headers(handler, here)
        case "tcpSocket":
            yield from _port(handler, here)
        case "grpc":
            number = handler.get("port") or 0
            if not 0 < number < 65536:
                told = "must be between 1 and 65535, inclusive"
                yield invalid("probe-port", (*here, "port"), number, told)
        case "sleep":
            seconds = handler.get("seconds") or 0
            if not 0 <= seconds <= grace:
                told = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                yield invalid("handler", (*here, "seconds"), seconds, told)


def _headers(handler: Part, path: Path) -> Iterator[Problem]:
    for at, header in each(handler, "httpHeaders", path):
        if not _HEADER.match(header.get("name") or ""):
            told = "a valid HTTP header must consist of alphanumeric characters or '-'"
            yield invalid(
                "handler", (*at, "name"), header.get("name") or "", told, named=_named(path)
            )


def _named(path: Path) -> str:
    return Problem((*path, "httpHeaders"), "", "").field


def _port(handler: Part, path: Path) -> Iterator[Problem]:
    port = handler.get("port")
    port = 0 if port is None else port
    if wrong := names.port_problem(port):
        hint = (
            f"write it without quotes: {port}" if isinstance(port, str) and port.isdigit() else ""
        )
        yield invalid("probe-port", (*path, "port"), port, wrong, hint=hint)
