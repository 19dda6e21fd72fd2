"""The errors of reconciler.

::

    ReconcilerError
    ├── ConfigError            reconciler.yaml or a flag is wrong
    ├── SourceError            a directory or a repository cannot be read
    ├── RenderError            files do not become documents
    ├── StoreError             the database refuses, is corrupt, or is of a newer format
    ├── RuntimeFailure         the runtime could not do what the kubelet asked (CRI error)
    ├── TerminalError          trying again is useless; report it, do not retry
    └── ApiError               a request was refused, with the status an API server gives
        ├── BadRequest 400     ├── NotFound 404        ├── Conflict 409    ├── Gone 410
        ├── Unauthorized 401   ├── MethodNotAllowed 405├── AlreadyExists 409├── Invalid 422
        ├── Forbidden 403      ├── NotAcceptable 406   ├── TooLarge 413    └── Unavailable 503
        └── UnsupportedMediaType 415

Errors of third parties do not cross a package's border: they are raised again as one of these, ``from`` the
original. A finding about a manifest is data (``gitops.validate.Finding``), not an exception.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple


class ReconcilerError(Exception):
    """The base of every error that reconciler raises on purpose; ``str()`` is fit for a user's eyes."""


class ConfigError(ReconcilerError):
    """A configuration file or flag is wrong; the message says file:line:column, what was expected."""


class SourceError(ReconcilerError):
    """The desired state cannot be read."""


class RenderError(ReconcilerError):
    """Files of a source cannot be turned into documents."""


class StoreError(ReconcilerError):
    """The store cannot do what was asked: a full disk, a corrupt file, a newer format."""


class RuntimeFailure(ReconcilerError):
    """The runtime could not do what it was told.

    ``reason`` is the CamelCase word that a container's waiting state or an Event shows.
    """

    def __init__(self, message: str, *, reason: str = "RuntimeFailure") -> None:
        super().__init__(message)
        self.reason = reason


class TerminalError(ReconcilerError):
    """Trying again cannot help until somebody changes the input."""


class Cause(NamedTuple):
    """One cause in an API error's details: what is wrong with which field."""

    reason: str
    message: str
    field: str


class ApiError(ReconcilerError):
    """A request was refused; carries what a Kubernetes ``Status`` object says."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "",
        group: str = "",
        name: str = "",
        causes: tuple[Cause, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.group = group
        self.name = name
        self.causes = causes
        self.retry_after = retry_after

    def status(self) -> dict[str, Any]:
        """Return the ``Status`` object (v1) that an API server answers with."""
        details: dict[str, Any] = {}
        if self.name:
            details["name"] = self.name
        if self.group:
            details["group"] = self.group
        if self.kind:
            details["kind"] = self.kind
        if self.causes:
            details["causes"] = [
                {"reason": c.reason, "message": c.message, "field": c.field} for c in self.causes
            ]
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
        }
        if details:
            status["details"] = details
        status["code"] = self.code
        return status


class BadRequest(ApiError):
    code = 400
    reason = "BadRequest"


class Unauthorized(ApiError):
    code = 401
    reason = "Unauthorized"


class Forbidden(ApiError):
    code = 403
    reason = "Forbidden"


class NotFound(ApiError):
    code = 404
    reason = "NotFound"


class MethodNotAllowed(ApiError):
    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(ApiError):
    code = 406
    reason = "NotAcceptable"


class Conflict(ApiError):
    code = 409
    reason = "Conflict"


class AlreadyExists(ApiError):
    code = 409
    reason = "AlreadyExists"


class Gone(ApiError):
    """The revision asked for has been compacted away: list again (HTTP 410)."""

    code = 410
    reason = "Expired"


class TooLarge(ApiError):
    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code = 415
    reason = "UnsupportedMediaType"


class Invalid(ApiError):
    """The object breaks a rule (HTTP 422); ``causes`` name each field."""

    code = 422
    reason = "Invalid"


class TooManyRequests(ApiError):
    """Not now: ``retry_after`` says in how many seconds (HTTP 429)."""

    code = 429
    reason = "TooManyRequests"


class Unavailable(ApiError):
    code = 503
    reason = "ServiceUnavailable"


#: Every ApiError by its ``reason``, for a client that reads a Status.
BY_REASON: dict[str, type[ApiError]] = {
    c.reason: c
    for c in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        Conflict,
        AlreadyExists,
        Gone,
        TooLarge,
        UnsupportedMediaType,
        Invalid,
        TooManyRequests,
        Unavailable,
    )
}


def from_status(status: dict[str, Any]) -> ApiError:
    """Turn a Kubernetes ``Status`` of a failure back into the error it describes."""
    reason = str(status.get("reason", ""))
    cls = BY_REASON.get(reason)
    if cls is None:
        code = status.get("code")
        cls = next((c for c in BY_REASON.values() if c.code == code), ApiError)
    details = status.get("details") or {}
    return cls(
        str(status.get("message", reason or "unknown error")),
        kind=str(details.get("kind", "")),
        group=str(details.get("group", "")),
        name=str(details.get("name", "")),
        causes=tuple(
            Cause(str(c.get("reason", "")), str(c.get("message", "")), str(c.get("field", "")))
            for c in details.get("causes") or ()
        ),
        retry_after=details.get("retryAfterSeconds"),
    )
