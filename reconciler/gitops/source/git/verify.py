"""Signatures of commits and tags: only revisions signed by a key of the list are accepted.

git's own ``verify-commit`` decides, over a list of signers (ssh) and a keyring (gpg) that hold the allowed keys and
nothing else: neither the daemon's user's keyring nor its configuration is looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import SourceError
from reconciler.gitops.source.git import session
from reconciler.gitops.source.git.command import GitError, Setting, run, run_program
from reconciler.gitops.source.git.spec import FIELD

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SECONDS = 30.0
_PGP = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_KEY_TYPE = re.compile(r"(ssh-|ecdsa-|sk-ssh-|sk-ecdsa-)[a-z0-9@.-]+ ")


class UnverifiedError(SourceError):
    """A revision is not signed by one of those who may."""


class Keys(NamedTuple):
    """Who may sign: lines of an allowed-signers file (ssh-keygen(1)), and ASCII-armoured PGP keys."""

    ssh: tuple[str, ...]
    gpg: tuple[str, ...]


def keys_of(texts: Iterable[str]) -> Keys:
    """Sort keys by what they are. Raises ``SourceError`` for a text that is neither."""
    ssh: list[str] = []
    gpg: list[str] = []
    for text in texts:
        if _PGP in text:
            gpg.append(text)
            continue
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                ssh.append(_signer(line.strip(), len(ssh) + 1))
    return Keys(tuple(ssh), tuple(gpg))


def _signer(line: str, number: int) -> str:
    if _KEY_TYPE.match(line):
        return f'signer-{number} namespaces="git" {line}'
    if _KEY_TYPE.search(line):
        return line
    raise SourceError(
        f"{FIELD}.verify: expected ssh public keys, allowed-signers lines or ASCII-armoured PGP public keys"
    )


async def verify(
    where: Path, repository: Path, keys: Keys, *, mode: str, ref: str, name: str, commit: str
) -> None:
    """Check what ``mode`` asks for: the commit, the annotated tag ``name`` at ``ref``, or both.

    Raises ``UnverifiedError`` that says what is not signed as it must be.
    """
    with session.local(where, repository) as setting:
        prepared = await _prepare(setting, keys)
        if mode in ("Tag", "TagAndHEAD"):
            await _tag(prepared, ref, name)
        if mode in ("HEAD", "TagAndHEAD"):
            await _check(prepared, "verify-commit", commit, f"commit {commit[:12]}")


async def _prepare(setting: Setting, keys: Keys) -> Setting:
    home = setting.home
    signers = home / "allowed_signers"
    session.write(home, {"allowed_signers": "".join(f"{line}\n" for line in keys.ssh)})
    with setting.config.open("a", encoding="utf-8") as config:
        config.write('[gpg "x509"]\n\tprogram = false\n')
        config.write(f'[gpg "ssh"]\n\tallowedSignersFile = "{signers}"\n')
    gnupg = home / "gnupg"
    gnupg.mkdir(mode=0o700)
    session.write(gnupg, {"gpg.conf": "no-autostart\nno-auto-key-retrieve\nbatch\n"})
    prepared = setting._replace(extra={"GNUPGHOME": str(gnupg)})
    # A keyring in the old format is its keys one after another: importing them would want an agent.
    ring = b""
    for key in keys.gpg:
        try:
            ring += await run_program(
                prepared, "gpg", "--dearmor", seconds=_SECONDS, given=key.encode()
            )
        except GitError as error:
            raise SourceError(f"{FIELD}.verify: a PGP key cannot be read: {error}") from error
    (gnupg / "pubring.gpg").write_bytes(ring)
    return prepared


async def _tag(setting: Setting, ref: str, name: str) -> None:
    short = ref.removeprefix("refs/tags/")
    if not ref.startswith("refs/tags/"):
        raise UnverifiedError(f"verify asks for a signed tag, and {ref} is none")
    kind = (await run(setting, "cat-file", "-t", name, seconds=_SECONDS)).strip()
    if kind != b"tag":
        raise UnverifiedError(f"tag {short} is not signed: it is not an annotated tag")
    told = await run(setting, "cat-file", "tag", name, seconds=_SECONDS)
    # A signed tag moved to another name would bring an old version back.
    if f"\ntag {short}\n".encode() not in told.split(b"\n\n")[0] + b"\n":
        raise UnverifiedError(f"tag {short} was signed under another name")
    await _check(setting, "verify-tag", name, f"tag {short}")


async def _check(setting: Setting, verb: str, name: str, what: str) -> None:
    try:
        await run(setting, verb, "--raw", name, seconds=_SECONDS)
    except GitError as error:
        complaint = error.complaint
        unsigned = "no signature" in complaint or not complaint.strip()
        why = "it is not signed" if unsigned else _why(complaint)
        raise UnverifiedError(f"{what} is refused: {why}") from error


def _why(complaint: str) -> str:
    for word, told in (
        ("BADSIG", "its signature is not its content's"),
        ("REVKEYSIG", "its signer's key was revoked"),
        ("EXPKEYSIG", "its signer's key has expired"),
        ("EXPSIG", "its signature has expired"),
        ("Could not verify signature", "its signature is not its content's"),
        ("incorrect signature", "its signature is not its content's"),
    ):
        if word in complaint:
            return told
    return "it is signed by a key that is not on the list"
