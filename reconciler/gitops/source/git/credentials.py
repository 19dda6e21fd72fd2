"""Credentials of a repository: read from a Secret, a file or the environment, and handed to git out of sight.

They reach git through files (0600) that exist while it runs: never through a URL, an argument list or the environment.
git's own credential store answers for the one origin they were given for, so that a redirect gets nothing.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from reconciler.errors import SourceError
from reconciler.gitops.source.git.spec import FIELD

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.gitops.source.git.spec import AuthSpec
    from reconciler.gitops.source.git.url import RepositoryUrl

#: Only variables of this name are handed out: an Application must not read the rest of the daemon's environment.
ENVIRONMENT_PREFIX = "RECONCILER_GIT_"
#: No credential is larger, in bytes.
LARGEST = 256 * 1024
DEFAULT_USER = "git"


class Credentials(NamedTuple):
    """What opens a repository; an empty text is what there is not."""

    username: str = ""
    password: str = ""
    bearer_token: str = ""
    ssh_key: str = ""
    known_hosts: str = ""
    ca: str = ""

    def __repr__(self) -> str:
        """Name what there is, and show none of it."""
        return f"Credentials({', '.join(k for k, v in self._asdict().items() if v)})"


#: The keys of a Secret, in the words of Flux, of Kubernetes' own Secret types, and of Argo CD.
_KEYS = {
    "username": ("username",),
    "password": ("password", "token"),
    "bearer_token": ("bearerToken",),
    "ssh_key": ("identity", "ssh-privatekey", "sshPrivateKey"),
    "known_hosts": ("known_hosts",),
    "ca": ("ca.crt", "caFile"),
}


def from_secret(secret: Object) -> Credentials:
    """Read a Secret. Raises ``SourceError`` where its data cannot be read or holds nothing that is known."""
    name = secret["metadata"]["name"]
    data = secret.get("data") or {}
    found = {}
    for field, keys in _KEYS.items():
        key = next((k for k in keys if k in data), None)
        if key is not None:
            found[field] = _decoded(data[key], f"Secret {name}: {key}")
    if not found:
        known = ", ".join(k for keys in _KEYS.values() for k in keys)
        raise SourceError(f"Secret {name} holds no credentials: expected one of {known}")
    return _checked(Credentials(**found), f"Secret {name}")


def texts_of(secret: Object) -> dict[str, str]:
    """Return the texts in a Secret, by key. Raises ``SourceError``."""
    name = secret["metadata"]["name"]
    return {k: _decoded(v, f"Secret {name}: {k}") for k, v in (secret.get("data") or {}).items()}


def _decoded(value: str, what: str) -> str:
    try:
        return base64.b64decode(value or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{what} is not text in base64") from error


def from_operator(auth: AuthSpec, roots: tuple[Path, ...]) -> Credentials:
    """Read the files and variables that ``auth`` names. Raises ``SourceError``; blocks.

    Files are looked for in ``roots`` alone and variables begin with ``RECONCILER_GIT_``: an Application may come out of
    a repository, and must not be able to send any file of this machine to a server of its choice.
    """
    found = Credentials(
        auth.username or "",
        _value(auth.password_file, auth.password_env, "password", roots),
        _value(auth.bearer_token_file, auth.bearer_token_env, "bearerToken", roots),
        _value(auth.ssh_key_file, auth.ssh_key_env, "sshKey", roots),
        _file(auth.known_hosts_file, "knownHostsFile", roots) if auth.known_hosts_file else "",
        _file(auth.ca_file, "caFile", roots) if auth.ca_file else "",
    )
    return _checked(found, f"{FIELD}.auth")


def _value(file: str | None, variable: str | None, name: str, roots: tuple[Path, ...]) -> str:
    if file and variable:
        raise SourceError(f"{FIELD}.auth: {name}File and {name}Env exclude each other: give one")
    if variable:
        if not variable.startswith(ENVIRONMENT_PREFIX):
            raise SourceError(
                f"{FIELD}.auth.{name}Env: {variable}: expected a name that begins with {ENVIRONMENT_PREFIX}"
            )
        value = os.environ.get(variable)
        if not value:
            raise SourceError(f"{FIELD}.auth.{name}Env: the daemon was started without {variable}")
        return value
    return _file(file, f"{name}File", roots) if file else ""


def _file(name: str, field: str, roots: tuple[Path, ...]) -> str:
    for root in roots:
        path = Path(os.path.normpath(root / name))
        if not path.is_relative_to(root) or not path.exists():
            continue
        real = path.resolve()
        if not real.is_relative_to(root.resolve()) or not real.is_file():
            break
        try:
            data = real.read_bytes()[: LARGEST + 1]
            text = data.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{FIELD}.auth.{field}: {name}: {error}") from error
        if len(data) > LARGEST:
            raise SourceError(f"{FIELD}.auth.{field}: {name} is larger than {LARGEST} bytes")
        return text
    places = ", ".join(map(str, roots))
    raise SourceError(f"{FIELD}.auth.{field}: {name} is not a file in one of {places}")


def _checked(found: Credentials, what: str) -> Credentials:
    """Tidy what editors and ``echo`` leave at the end. Raises ``SourceError`` for what would break out of a file."""
    tidy = found._replace(
        username=found.username.strip(),
        password=found.password.strip("\r\n"),
        bearer_token=found.bearer_token.strip(),
        ssh_key=found.ssh_key.rstrip() + "\n" if found.ssh_key else "",
    )
    for name in ("username", "password", "bearer_token"):
        if any(c in getattr(tidy, name) for c in "\0\r\n"):
            raise SourceError(f"{what}: {name} has several lines")
    return tidy


#: Settings under which git runs no program of a repository and speaks with nobody that it was not told of.
_SETTINGS = """\
[core]
	hooksPath = /dev/null
	fsmonitor = false
	attributesFile = /dev/null
	askPass = ""
[protocol]
	allow = never
	version = 2
[protocol "https"]
	allow = always
[protocol "http"]
	allow = always
[protocol "ssh"]
	allow = always
[protocol "git"]
	allow = always
[protocol "file"]
	allow = {file}
[safe]
	directory = *
[http]
	lowSpeedLimit = 1000
	lowSpeedTime = 30
	sslVerify = true
[fetch]
	recurseSubmodules = false
	writeCommitGraph = false
[submodule]
	recurse = false
[gc]
	autoDetach = false
[maintenance]
	autoDetach = false
[transfer]
	credentialsInUrl = die
[advice]
	detachedHead = false
[credential]
	helper = ""
"""


def offline() -> str:
    """Return the configuration under which git speaks with nobody."""
    return re.sub(r"allow = always", "allow = never", _SETTINGS.format(file="never"))


def files(url: RepositoryUrl, given: Credentials, directory: Path) -> dict[str, str]:
    """Return the files, by name, that make git speak with a server: its configuration and what that names.

    They are to be written (0600) into ``directory``. Raises ``SourceError`` for credentials that do not fit the URL.
    """
    allow = "always" if url.scheme == "file" else "never"
    made = {"config": _SETTINGS.format(file=allow)}
    if url.scheme == "ssh":
        made |= _ssh(given)
        made["config"] += _ssh_settings(made, directory)
    secret = given.password or given.bearer_token
    if secret and url.scheme != "https":
        if url.scheme != "ssh":
            raise SourceError(
                f"{url.scheme}:// would send the credentials in the clear: use https:// or ssh://"
            )
        return made
    if given.ca:
        made["ca.crt"] = given.ca
        made["config"] += f"[http]\n\tsslCAInfo = {_quoted(str(directory / 'ca.crt'))}\n"
    if given.bearer_token:
        header = _quoted(f"Authorization: Bearer {given.bearer_token}")
        made["config"] += f"[http {_quoted(url.origin + '/')}]\n\textraHeader = {header}\n"
    elif given.password:
        user = quote(given.username or DEFAULT_USER, safe="")
        password = quote(given.password, safe="")
        scheme, _, host = url.origin.partition("://")
        made["store"] = f"{scheme}://{user}:{password}@{host}\n"
        helper = f"store --file={shlex.quote(str(directory / 'store'))}"
        made["config"] += f"[credential]\n\thelper = {_quoted(helper)}\n"
    return made


def _ssh(given: Credentials) -> dict[str, str]:
    if not given.ssh_key:
        raise SourceError(
            f"{FIELD}: ssh:// needs a key: put 'identity' and 'known_hosts' into the Secret that secretRef names"
        )
    known = {"known_hosts": given.known_hosts} if given.known_hosts else {}
    return {"identity": given.ssh_key, **known}


def _ssh_settings(made: dict[str, str], directory: Path) -> str:
    options = [
        "BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=15",
        "ServerAliveInterval=10", "ServerAliveCountMax=3", "PasswordAuthentication=no",
        "KbdInteractiveAuthentication=no", "ForwardAgent=no", "ClearAllForwardings=yes",
        "ControlMaster=no", "ControlPath=none", "UpdateHostKeys=no", "LogLevel=ERROR",
    ]  # fmt: skip
    if "known_hosts" in made:
        options += [
            f'UserKnownHostsFile="{directory / "known_hosts"}"',
            "GlobalKnownHostsFile=/dev/null",
        ]
    else:
        # Who runs this machine may vouch for hosts; who logs in to it may not.
        options.append("UserKnownHostsFile=/dev/null")
    command = ["ssh", "-F", "/dev/null", "-i", str(directory / "identity")]
    for option in options:
        command += ["-o", option]
    return f"[core]\n\tsshCommand = {_quoted(shlex.join(command))}\n[ssh]\n\tvariant = ssh\n"


def _quoted(text: str) -> str:
    """Write a value as git's configuration reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
