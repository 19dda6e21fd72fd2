"""``spec.source.git`` of an Application, read and checked. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from reconciler.api import durations
from reconciler.errors import SourceError
from reconciler.gitops.source.git import url as urls
from reconciler.gitops.source.git.semver import Range

if TYPE_CHECKING:
    from collections.abc import Callable

#: How often a repository is asked, in seconds, where the Application does not say; and how often at most.
INTERVAL_SECONDS = 60.0
SHORTEST_INTERVAL = 1.0
#: So long one conversation with a server may take, in seconds, where the Application does not say.
TIMEOUT_SECONDS = 60.0

FIELD = "spec.source.git"

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: What git-check-ref-format(1) forbids, and what begins like an option.
_BAD_NAME = re.compile(r"^[-/.]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|/\.|\.lock(/|$)|[/.]$|^@$")


class Ref(NamedTuple):
    """What to follow. ``auto`` is a name that may be a branch, a tag or, in full, a ref or a commit."""

    kind: Literal["head", "auto", "branch", "tag", "commit", "semver", "name"]
    value: str = ""

    def __str__(self) -> str:
        return "HEAD" if self.kind == "head" else self.value


class SecretRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Secret; without a namespace in the Application's destination."""

    name: str
    namespace: str | None = None


class AuthSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Credentials out of files and variables that the operator provides (see ``credentials``)."""

    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    bearer_token_file: str | None = None
    bearer_token_env: str | None = None
    ssh_key_file: str | None = None
    ssh_key_env: str | None = None
    known_hosts_file: str | None = None
    ca_file: str | None = None


class VerifySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Who may sign, and what must be signed: the commit (HEAD), the annotated tag (Tag), or both (TagAndHEAD)."""

    mode: Literal["HEAD", "Tag", "TagAndHEAD"] | None = None
    secret_ref: SecretRef | None = None
    ssh_keys: tuple[str, ...] | None = None
    gpg_keys: tuple[str, ...] | None = None


class _RefSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    branch: str | None = None
    tag: str | None = None
    semver: str | None = None
    commit: str | None = None
    name: str | None = None


class _Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    url: str
    ref: str | _RefSpec | None = None
    path: str | None = None
    interval: str | float | None = None
    timeout: str | float | None = None
    depth: int | None = None
    submodules: bool | None = None
    lfs: bool | None = None
    secret_ref: SecretRef | None = None
    auth: AuthSpec | None = None
    verify: VerifySpec | None = None


class GitSpec(NamedTuple):
    """One git source. ``interval`` and ``timeout`` are seconds; ``depth`` 0 is the whole history."""

    url: urls.RepositoryUrl
    ref: Ref
    path: str
    interval: float
    timeout: float
    depth: int
    submodules: bool
    lfs: bool
    secret: SecretRef | None
    auth: AuthSpec | None
    verify: VerifySpec | None


def parse(value: Any) -> GitSpec:
    """Read ``spec.source.git``. Raises ``SourceError`` that names the field and what is expected."""
    try:
        spec = msgspec.convert(value, _Spec)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        raise SourceError(f"{FIELD}{at.rstrip('`')}: {message}") from error
    url = urls.parse(spec.url)
    if spec.depth is not None and spec.depth < 0:
        raise SourceError(f"{FIELD}.depth: {spec.depth}: expected 0 (the whole history) or more")
    verify = spec.verify
    if verify is not None and not (verify.secret_ref or verify.ssh_keys or verify.gpg_keys):
        raise SourceError(
            f"{FIELD}.verify names nobody who may sign: give sshKeys, gpgKeys or secretRef"
        )
    return GitSpec(
        url, _ref(spec.ref), _path(spec.path or ""),
        max(_seconds(spec.interval, "interval", INTERVAL_SECONDS), SHORTEST_INTERVAL),
        max(_seconds(spec.timeout, "timeout", TIMEOUT_SECONDS), 1.0),
        1 if spec.depth is None else spec.depth, bool(spec.submodules), bool(spec.lfs),
        spec.secret_ref, spec.auth, verify,
    )  # fmt: skip


def named(revision: str) -> Ref:
    """Return what a user means by a revision: a branch or a tag, a whole ref, a commit. Raises ``SourceError``."""
    return _ref(revision, "revision")


def _seconds(value: str | float | None, name: str, default: float) -> float:
    if value is None:
        return default
    try:
        return durations.seconds(value)
    except ValueError as error:
        raise SourceError(f"{FIELD}.{name}: {error}") from error


def _ref(value: str | _RefSpec | None, field: str = f"{FIELD}.ref") -> Ref:
    if value is None or value in ("", "HEAD"):
        return Ref("head")
    if isinstance(value, str):
        if _COMMIT.fullmatch(value):
            return Ref("commit", value)
        if value.startswith("refs/"):
            return Ref("name", _name(value, field))
        return Ref("auto", _name(value, field))
    given = {k: v for k, v in msgspec.structs.asdict(value).items() if v}
    if given.keys() == {"branch", "commit"}:
        del given["branch"]  # a commit says it all
    if len(given) > 1:
        raise SourceError(
            f"{FIELD}.ref: {' and '.join(sorted(given))} exclude each other: give one"
        )
    for kind, text in given.items():
        return _REFS[kind](text, f"{FIELD}.ref.{kind}")
    return Ref("head")


def _commit(text: str, field: str) -> Ref:
    if not _COMMIT.fullmatch(text):
        raise SourceError(f"{field}: expected a whole commit id, 40 hex digits")
    return Ref("commit", text)


def _semver(text: str, field: str) -> Ref:
    try:
        Range(text)
    except ValueError as error:
        raise SourceError(f"{field}: {error}") from error
    return Ref("semver", text)


def _whole_name(text: str, field: str) -> Ref:
    if not text.startswith("refs/"):
        raise SourceError(f"{field}: {text!r}: expected a whole name as refs/heads/main")
    return Ref("name", _name(text, field))


_REFS: dict[str, Callable[[str, str], Ref]] = {
    "branch": lambda text, field: Ref("branch", _name(text, field)),
    "tag": lambda text, field: Ref("tag", _name(text, field)),
    "semver": _semver,
    "commit": _commit,
    "name": _whole_name,
}


def _name(text: str, field: str) -> str:
    if len(text) > 255 or _BAD_NAME.search(text):
        raise SourceError(f"{field}: {text!r} is not the name of a branch or a tag")
    return text


def _path(text: str) -> str:
    """Return a path within the repository: no ``..``, no slash at its ends; empty is the root."""
    if "\0" in text or "\\" in text or not text.isprintable():
        raise SourceError(f"{FIELD}.path: {text!r} is not a path")
    clean = posixpath.normpath(text.lstrip("/")) if text.strip("/") else "."
    if clean == ".." or clean.startswith("../"):
        raise SourceError(f"{FIELD}.path: {text!r} leads out of the repository")
    return "" if clean == "." else clean
