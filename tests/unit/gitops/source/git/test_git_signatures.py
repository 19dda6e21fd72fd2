"""Only revisions signed by a key of the list are accepted; the last accepted one stays when another is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.clock import SeededEntropy, SystemClock
from reconciler.errors import SourceError
from reconciler.gitops.source.git import GitSource
from reconciler.gitops.source.git.verify import Keys, UnverifiedError, keys_of
from tests.unit.gitops.source.git.origin import Origin, follow


def ssh_key(where: Path, name: str) -> str:
    """Make a key; returns the public half. The private one lies in ``where/name``."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed (openssh-client)")
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(where / name)]
    subprocess.run(command, check=True)
    return (where / f"{name}.pub").read_text()


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path)


def signed_by_ssh(where: Path, name: str) -> list[str]:
    return ["-c", "gpg.format=ssh", "-c", f"user.signingKey={where / name}"]


def commit(origin: Origin, text: str, settings: list[str] | None = None) -> str:
    origin.write("a.yaml", text)
    origin.git("add", "-A")
    signed = ["-S"] if settings else []
    origin.git(*(settings or []), "commit", "-q", "--allow-empty", "-m", text, *signed)
    origin.git("push", "-q", "--force", "origin", "HEAD", "--tags")
    return origin.git("rev-parse", "HEAD")


def keys(*texts: str) -> Keys:
    return keys_of(texts)


async def test_an_ssh_signed_revision_is_taken_and_an_unsigned_one_refused(
    origin: Origin, tmp_path: Path
) -> None:
    ann = ssh_key(tmp_path, "ann")
    first = commit(origin, "one", signed_by_ssh(tmp_path, "ann"))
    repository = follow(tmp_path, origin.url, signers=keys(ann), verify={"sshKeys": [ann]})
    source = GitSource(repository, interval=60, clock=SystemClock(), entropy=SeededEntropy())
    assert (await source.snapshot()).revision == first
    bad = commit(origin, "two")
    source.refresh()
    snapshot = await source.snapshot()
    assert snapshot.revision == first
    assert f"commit {bad[:12]} is refused: it is not signed" in snapshot.stale
    third = commit(origin, "three", signed_by_ssh(tmp_path, "ann"))
    source.refresh()
    snapshot = await source.snapshot()
    assert (snapshot.revision, snapshot.stale) == (third, "")


async def test_a_key_that_is_not_on_the_list_is_refused(origin: Origin, tmp_path: Path) -> None:
    ann, eve = ssh_key(tmp_path, "ann"), ssh_key(tmp_path, "eve")
    commit(origin, "one", signed_by_ssh(tmp_path, "eve"))
    with pytest.raises(UnverifiedError, match="a key that is not on the list"):
        await follow(tmp_path, origin.url, signers=keys(ann), verify={"sshKeys": [ann]}).fetch()
    both = keys(ann, eve)
    assert await follow(tmp_path, origin.url, signers=both, verify={"sshKeys": [ann]}).fetch()


async def test_a_changed_commit_under_a_good_signature_is_refused(
    origin: Origin, tmp_path: Path
) -> None:
    ann = ssh_key(tmp_path, "ann")
    commit(origin, "one", signed_by_ssh(tmp_path, "ann"))
    raw = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=origin.work, capture_output=True, check=True
    ).stdout
    forged = origin.git(
        "hash-object", "-t", "commit", "-w", "--stdin",
        input=raw.decode().replace("\n\none", "\n\ntwo"),
    )  # fmt: skip
    origin.git("push", "-q", "--force", "origin", f"{forged}:refs/heads/main")
    with pytest.raises(UnverifiedError, match="not its content's"):
        await follow(tmp_path, origin.url, signers=keys(ann), verify={"sshKeys": [ann]}).fetch()


async def test_who_may_sign_is_asked_again_after_a_restart(origin: Origin, tmp_path: Path) -> None:
    ann, bob = ssh_key(tmp_path, "ann"), ssh_key(tmp_path, "bob")
    commit(origin, "one", signed_by_ssh(tmp_path, "ann"))
    await follow(tmp_path, origin.url, signers=keys(ann), verify={"sshKeys": [ann]}).fetch()
    again = follow(tmp_path, origin.url, signers=keys(bob), verify={"sshKeys": [bob]})
    with pytest.raises(UnverifiedError):
        await again.current()


@pytest.fixture
def gnupg(tmp_path: Path) -> Path:
    if shutil.which("gpg") is None or shutil.which("gpg-agent") is None:
        pytest.skip("gpg is not installed (gnupg)")
    # The path of an agent's socket is short.
    home = Path("/tmp") / f"git-gnupg-{os.getpid()}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    return home


def gpg_key(home: Path, name: str) -> str:
    environment = {**os.environ, "GNUPGHOME": str(home)}
    subprocess.run(
        ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", f"{name}@example.org", "ed25519", "sign"],
        check=True, env=environment, capture_output=True,
    )  # fmt: skip
    return subprocess.run(
        ["gpg", "--armor", "--export", f"{name}@example.org"],
        check=True, env=environment, capture_output=True, text=True,
    ).stdout  # fmt: skip


async def test_a_gpg_signed_revision_is_taken_and_others_refused(
    origin: Origin, tmp_path: Path, gnupg: Path
) -> None:
    try:
        ann, eve = gpg_key(gnupg, "ann"), gpg_key(gnupg, "eve")
        environment: Any = {"env": {"GNUPGHOME": str(gnupg)}}
        origin.write("a.yaml", "one")
        origin.git("add", "-A")
        origin.git(
            "-c",
            "user.signingKey=ann@example.org",
            "commit",
            "-q",
            "-S",
            "-m",
            "one",
            **environment,
        )
        origin.git("push", "-q", "origin", "HEAD")
        verify = {"gpgKeys": [ann]}
        assert await follow(tmp_path / "a", origin.url, signers=keys(ann), verify=verify).fetch()
        with pytest.raises(UnverifiedError, match="a key that is not on the list"):
            await follow(tmp_path / "b", origin.url, signers=keys(eve), verify=verify).fetch()
        commit(origin, "two")
        with pytest.raises(UnverifiedError, match="not signed"):
            await follow(tmp_path / "c", origin.url, signers=keys(ann), verify=verify).fetch()
    finally:
        subprocess.run(
            ["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": str(gnupg)}, check=False
        )
        shutil.rmtree(gnupg, ignore_errors=True)


async def test_a_signed_tag_is_asked_for(origin: Origin, tmp_path: Path) -> None:
    ann = ssh_key(tmp_path, "ann")
    settings = signed_by_ssh(tmp_path, "ann")
    origin.write("a.yaml", "one")
    origin.git("add", "-A")
    origin.git("commit", "-q", "-m", "one")
    origin.git("tag", "light")
    origin.git("tag", "-a", "-m", "unsigned", "plain")
    origin.git(*settings, "tag", "-s", "-m", "signed", "v1")
    # The signed tag under another name: an old version offered as a new one.
    origin.git("push", "-q", "origin", "HEAD", "--tags", "refs/tags/v1:refs/tags/v2")
    verify = {"mode": "Tag", "sshKeys": [ann]}

    async def fetched(ref: str, mode: str = "Tag") -> str:
        repository = follow(
            tmp_path / f"{ref}{mode}",
            origin.url,
            {"tag": ref},
            signers=keys(ann),
            verify={**verify, "mode": mode},
        )
        return await repository.fetch()

    assert await fetched("v1")
    for ref, told in (
        ("light", "not an annotated tag"), ("plain", "not signed"), ("v2", "signed under another name")
    ):  # fmt: skip
        with pytest.raises(UnverifiedError, match=told):
            await fetched(ref)
    with pytest.raises(UnverifiedError, match=r"commit .* is refused: it is not signed"):
        await fetched("v1", "TagAndHEAD")
    with pytest.raises(UnverifiedError, match="asks for a signed tag"):
        await follow(tmp_path / "branch", origin.url, signers=keys(ann), verify=verify).fetch()


def test_keys_are_told_apart_and_others_refused() -> None:
    found = keys_of(["ssh-ed25519 AAAA ann\n# comment\n\nann@example.org ssh-rsa BBBB\n"])
    assert found.ssh == (
        'signer-1 namespaces="git" ssh-ed25519 AAAA ann',
        "ann@example.org ssh-rsa BBBB",
    )
    assert keys_of(["-----BEGIN PGP PUBLIC KEY BLOCK-----\nx"]).gpg
    with pytest.raises(SourceError, match="expected ssh public keys"):
        keys_of(["-----BEGIN OPENSSH PRIVATE KEY-----"])
