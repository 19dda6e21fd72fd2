"""A repository that a test writes into, and a way to follow it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from reconciler.gitops.source import git
from reconciler.gitops.source.git.credentials import Credentials

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.gitops.source.git.verify import Keys

#: Nothing of who runs the tests: neither settings nor signing keys.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ann Author",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Carl",
    "GIT_COMMITTER_EMAIL": "carl@example.org",
}


class Origin:
    """A bare repository ``served``, and a clone in which commits are made."""

    def __init__(self, where: Path, name: str = "shop.git") -> None:
        self.served = where / "served" / name
        self.work = where / f"work-{name}"
        self.served.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main", ".", at=self.served)
        self.git("config", "uploadpack.allowFilter", "true", at=self.served)
        self.git("config", "receive.denyDeleteCurrent", "ignore", at=self.served)
        self.git("init", "-q", "-b", "main", str(self.work), at=where)
        self.git("remote", "add", "origin", str(self.served))

    @property
    def url(self) -> str:
        return f"file://{self.served}"

    def git(self, *arguments: str, at: Path | None = None, **more: Any) -> str:
        environment = {**ENVIRONMENT, **more.pop("env", {})}
        done: subprocess.CompletedProcess[str] = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=at or self.work, env=environment, capture_output=True, text=True, check=False, **more,
        )  # fmt: skip
        assert done.returncode == 0, f"git {arguments}: {done.stderr}"
        return done.stdout.strip()

    def commit(
        self, message: str = "change", *options: str, push: bool = True, **files: str
    ) -> str:
        """Write files (``deploy__a`` is deploy/a.yaml), commit and push; returns the commit's id."""
        for name, text in files.items():
            self.write(name.replace("__", "/") + ".yaml", text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, *options)
        if push:
            self.git("push", "-q", "--force", "origin", "HEAD")
        return self.git("rev-parse", "HEAD")

    def write(self, path: str, text: str | bytes) -> None:
        target = self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())


def follow(
    where: Path,
    url: str,
    ref: Any = "main",
    *,
    given: Credentials | None = None,
    signers: Keys | None = None,
    **spec: Any,
) -> git.Repository:
    """Return a repository that follows a URL, its clone below ``where``."""

    async def credentials() -> Credentials:
        return given or Credentials()

    async def keys() -> Keys | None:
        return signers

    parsed = git.parse({"url": url, "ref": ref, "timeout": "20s", **spec})
    return git.Repository(where / "clone", parsed, git.Access(credentials, keys))


def texts(files: Any) -> dict[str, str]:
    """Return what files hold, by path."""
    return {path: file.data.decode() for path, file in files.items()}
