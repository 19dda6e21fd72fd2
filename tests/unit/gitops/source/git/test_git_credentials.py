"""Where credentials come from, and what an Application cannot make the daemon give away."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.clock import SeededEntropy, SystemClock
from reconciler.control import InformerCache
from reconciler.errors import Invalid, SourceError
from reconciler.gitops.source import DirectorySource, Sources
from reconciler.gitops.source.git.credentials import Credentials, files, from_operator, from_secret
from reconciler.gitops.source.git.spec import AuthSpec
from reconciler.gitops.source.git.url import parse
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore
from tests.unit.gitops.source.git.origin import Origin
from tests.unit.gitops.source.git.servers import PASSWORD, USER, https

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def secret(**data: str) -> dict[str, Any]:
    encoded = {k.replace("__", "."): base64.b64encode(v.encode()).decode() for k, v in data.items()}
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": "shop"}, "data": encoded,
    }  # fmt: skip


def test_secrets_are_understood_in_each_of_the_fields_words() -> None:
    assert from_secret(secret(username="u", password="p\n")) == Credentials("u", "p")
    assert from_secret(secret(token="t")).password == "t"
    assert from_secret(secret(bearerToken=" t\n")).bearer_token == "t"
    for key in ("identity", "sshPrivateKey"):
        assert from_secret(secret(**{key: "KEY", "known_hosts": "h"})) == Credentials(
            ssh_key="KEY\n", known_hosts="h"
        )
    assert from_secret({**secret(), "data": {"ssh-privatekey": "S0VZ"}}).ssh_key == "KEY\n"
    assert from_secret(secret(password="p", ca__crt="PEM")).ca == "PEM"


def test_secrets_that_hold_none_or_break_out_of_a_line_are_refused() -> None:
    with pytest.raises(SourceError, match="holds no credentials: expected one of username"):
        from_secret(secret(other="x"))
    with pytest.raises(SourceError, match="not text in base64"):
        from_secret({**secret(), "data": {"password": "%%%"}})
    for value in ("a\nhttps://evil", "a\x00b", "a\r\nX: y"):
        with pytest.raises(SourceError, match="several lines"):
            from_secret(secret(password=value))
        with pytest.raises(SourceError, match="several lines"):
            from_secret(secret(bearerToken=value))


def test_credentials_do_not_show_themselves() -> None:
    shown = repr(Credentials("u", "hunter2", ssh_key="hunter2"))
    assert "hunter2" not in shown
    assert "password" in shown


def test_files_come_only_from_where_the_operator_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "credentials"
    root.mkdir()
    (root / "token").write_text("t0ken\n")
    (tmp_path / "outside").write_text("private")
    (root / "link").symlink_to(tmp_path / "outside")
    roots = (root,)
    assert from_operator(AuthSpec(password_file="token"), roots) == Credentials(password="t0ken")
    assert from_operator(AuthSpec(password_file=str(root / "token")), roots).password == "t0ken"
    for name in (
        "../outside",
        str(tmp_path / "outside"),
        "/etc/hostname",
        "link",
        "missing",
        ".",
        "",
    ):
        if name:
            with pytest.raises(SourceError, match=r"passwordFile: .* is not a file in one of"):
                from_operator(AuthSpec(password_file=name), roots)
    monkeypatch.setenv("RECONCILER_GIT_TOKEN", "from-env")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "private")
    assert (
        from_operator(AuthSpec(password_env="RECONCILER_GIT_TOKEN"), roots).password == "from-env"
    )
    with pytest.raises(SourceError, match="begins with RECONCILER_GIT_"):
        from_operator(AuthSpec(password_env="AWS_SECRET_ACCESS_KEY"), roots)
    with pytest.raises(SourceError, match="was started without RECONCILER_GIT_MISSING"):
        from_operator(AuthSpec(password_env="RECONCILER_GIT_MISSING"), roots)
    with pytest.raises(SourceError, match="exclude each other"):
        from_operator(AuthSpec(password_env="RECONCILER_GIT_TOKEN", password_file="token"), roots)


def test_what_git_is_told_cannot_be_broken_out_of(tmp_path: Path) -> None:
    where = tmp_path / 'a "quoted" $(dir) \\ name'
    given = Credentials('u"\\;', "p@/:%\"'$(x)", bearer_token="", ca="PEM")
    made = files(parse("https://host:8443/x"), given, where)
    assert made["store"] == "https://u%22%5C%3B:p%40%2F%3A%25%22%27%24%28x%29@host:8443\n"
    assert "p@/" not in made["config"]
    ssh = files(parse("ssh://git@host/x"), Credentials(ssh_key="K\n", known_hosts="h"), where)
    line = next(n for n in ssh["config"].splitlines() if "sshCommand" in n)
    assert "StrictHostKeyChecking=yes" in line
    assert "BatchMode=yes" in line
    with pytest.raises(SourceError, match="ssh:// needs a key"):
        files(parse("ssh://git@host/x"), Credentials(), where)


class World:
    """Sources over a registry, as a daemon has them."""

    def __init__(self, where: Path) -> None:
        self.registry = Registry(MemoryStore(), clock=SystemClock(), entropy=SeededEntropy())
        self.where = where

    async def open(self) -> None:
        await self.registry.start()
        for name in ("default", "shop"):
            await self.registry.create(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        self.cache = cache = InformerCache(self.registry, [kinds.APPLICATION], clock=SystemClock())
        self.sources = Sources(
            self.where / "sources",
            self.registry,
            cache,
            clock=SystemClock(),
            entropy=SeededEntropy(),
        )
        self.tasks = [asyncio.create_task(run()) for run in (cache.run, self.sources.run)]

    async def application(self, git: dict[str, Any], name: str = "shop") -> dict[str, Any]:
        applied = await self.registry.apply(
            {
                "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": name},
                "spec": {"source": {"git": git}, "destination": {"namespace": "shop"}},
            },
            field_manager="test",
        )  # fmt: skip
        await self.cache.wait_for(kinds.APPLICATION, "", name, bool)
        return applied

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.registry.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_a_secret_opens_a_repository_and_may_come_later(world: World, tmp_path: Path) -> None:
    origin = Origin(tmp_path)
    origin.commit(a="a\n")
    async with https(origin.served.parent, tmp_path) as server:
        spec = {
            "url": f"{server.url}/shop.git",
            "ref": {"branch": "main"},
            "secretRef": {"name": "git"},
        }
        source = world.sources.source_for(await world.application(spec))
        with pytest.raises(SourceError, match=r"secretRef: Secret shop/git: .*not found"):
            await source.snapshot()
        await world.registry.create(secret(username=USER, password=PASSWORD, ca__crt=server.ca))
        source.refresh()
        assert list((await source.snapshot()).files) == ["a.yaml"]


async def test_only_the_sources_of_a_repository_are_woken(world: World) -> None:
    kept = [
        world.sources.source_for(await world.application({"url": url}, name))
        for name, url in (
            ("one", "https://github.com/acme/shop.git"), ("two", "git@github.com:acme/shop"),
            ("three", "https://github.com/acme/other"),
        )
    ]  # fmt: skip
    assert world.sources.wake(["https://github.com/Acme/Shop"]) == ["one", "two"]
    assert world.sources.wake(["nonsense", ""]) == []
    assert len(kept) == 3


async def test_a_clone_goes_with_its_application_and_with_its_url(
    world: World, tmp_path: Path
) -> None:
    origins = [Origin(tmp_path, f"{name}.git") for name in ("a", "b")]
    for origin in origins:
        origin.commit(a="a\n")
    await world.sources.source_for(await world.application({"url": origins[0].url})).snapshot()
    first = list((tmp_path / "sources").iterdir())
    await world.sources.source_for(await world.application({"url": origins[1].url})).snapshot()
    async with asyncio.timeout(10):
        while len(list((tmp_path / "sources").iterdir())) > 1:
            await asyncio.sleep(0.01)
        assert list((tmp_path / "sources").iterdir()) != first
        await world.registry.delete(kinds.APPLICATION, "shop")
        while list((tmp_path / "sources").iterdir()):
            await asyncio.sleep(0.01)


async def test_a_source_is_one_thing_or_the_other(world: World, tmp_path: Path) -> None:
    def app(**source: Any) -> dict[str, Any]:
        return {"metadata": {"name": "x"}, "spec": {"source": source}}

    directory = {"path": str(tmp_path)}
    assert isinstance(world.sources.source_for(app(directory=directory)), DirectorySource)
    with pytest.raises(SourceError, match="exclude each other"):
        world.sources.source_for(app(directory=directory, git={"url": "https://h/x"}))
    with pytest.raises(SourceError, match=r"expected directory\.path or git\.url"):
        world.sources.source_for(app())


@pytest.mark.parametrize(
    "git",
    [
        {}, {"url": 1}, {"url": "https://h/x", "branch": "main"}, {"url": "https://h/x", "ref": 5},
        {"url": "https://h/x", "ref": {"brnch": "x"}}, {"url": "https://h/x", "depth": -1},
        {"url": "https://h/x", "verify": {"mode": "maybe"}}, {"url": "https://h/x", "secretRef": {}},
        {"url": "https://h/x", "auth": {"passwordEnv": "PATH"}}, {"url": "https://h/x", "interval": "soon"},
    ],
)  # fmt: skip
async def test_the_schema_refuses_what_the_source_would(world: World, git: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="git"):
        await world.application(git)


async def test_a_ref_changes_its_form(world: World) -> None:
    url = "https://h/x"
    for ref in ("main", {"tag": "v1"}, {"semver": ">=1"}, "main"):
        found = await world.application({"url": url, "ref": ref})
        assert found["spec"]["source"]["git"]["ref"] == ref
