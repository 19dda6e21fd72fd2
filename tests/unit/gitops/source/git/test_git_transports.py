"""Repositories over every transport, from real servers on loopback: what is pushed arrives, and nobody else's secrets do."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SourceError
from reconciler.gitops.source.git.credentials import Credentials
from tests.unit.gitops.source.git.origin import Origin, follow, texts
from tests.unit.gitops.source.git.servers import PASSWORD, USER, git_daemon, https, sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.source.git import Repository


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    made = Origin(tmp_path)
    made.commit("first\n\nwhy", deploy__a="a: 1\n", other="o: 1\n")
    return made


async def follows(repository: Repository, origin: Origin) -> None:
    """See what is there, and what is pushed afterwards."""
    first = await repository.fetch()
    snapshot = await repository.read(first)
    assert texts(snapshot.files) == {"a.yaml": "a: 1\n"}
    assert snapshot.commit is not None
    assert snapshot.commit.author == "Ann Author"
    assert snapshot.commit.message == "first\n\nwhy"
    pushed = origin.commit(deploy__a="a: 2\n")
    second = await repository.fetch()
    assert second == pushed
    assert texts((await repository.read(second)).files) == {"a.yaml": "a: 2\n"}


async def test_a_repository_on_this_machine(origin: Origin, tmp_path: Path) -> None:
    await follows(follow(tmp_path, origin.url, path="deploy"), origin)


async def test_a_git_daemon(origin: Origin, tmp_path: Path) -> None:
    async with git_daemon(origin.served.parent) as url:
        await follows(follow(tmp_path, f"{url}/shop.git", path="deploy"), origin)


async def test_https_with_a_password(origin: Origin, tmp_path: Path) -> None:
    async with https(origin.served.parent, tmp_path) as server:
        given = Credentials(USER, PASSWORD, ca=server.ca)
        url = f"{server.url}/shop.git"
        await follows(follow(tmp_path, url, path="deploy", given=given), origin)


async def test_https_with_a_bearer_token(origin: Origin, tmp_path: Path) -> None:
    async with https(origin.served.parent, tmp_path, auth="bearer") as server:
        given = Credentials(bearer_token=PASSWORD, ca=server.ca)
        url = f"{server.url}/shop.git"
        await follows(follow(tmp_path, url, path="deploy", given=given), origin)


async def test_ssh_with_a_key(origin: Origin, tmp_path: Path) -> None:
    async with sshd(tmp_path) as server:
        given = Credentials(ssh_key=server.key, known_hosts=server.known_hosts)
        url = f"{server.url}{origin.served}"
        await follows(follow(tmp_path, url, path="deploy", given=given), origin)


async def test_an_ssh_host_that_is_not_known_is_refused(origin: Origin, tmp_path: Path) -> None:
    async with sshd(tmp_path) as server:
        other = server.known_hosts.split(" ")[0] + " " + (tmp_path / "user.pub").read_text()
        given = Credentials(ssh_key=server.key, known_hosts=other)
        with pytest.raises(SourceError, match="host key is not the one in known_hosts"):
            await follow(tmp_path, f"{server.url}{origin.served}", given=given).fetch()


async def test_a_certificate_of_an_unknown_authority_is_refused(
    origin: Origin, tmp_path: Path
) -> None:
    async with https(origin.served.parent, tmp_path) as server:
        repository = follow(tmp_path, f"{server.url}/shop.git", given=Credentials(USER, PASSWORD))
        with pytest.raises(SourceError, match="certificate"):
            await repository.fetch()
        assert server.seen == []


async def test_a_wrong_password_is_told_without_it(origin: Origin, tmp_path: Path) -> None:
    async with https(origin.served.parent, tmp_path) as server:
        given = Credentials(USER, "not-the-one", ca=server.ca)
        with pytest.raises(SourceError, match="Authentication failed") as caught:
            await follow(tmp_path, f"{server.url}/shop.git", given=given).fetch()
    assert "not-the-one" not in str(caught.value)


async def test_without_credentials_nobody_is_asked_for_them(origin: Origin, tmp_path: Path) -> None:
    async with https(origin.served.parent, tmp_path) as server:
        given = Credentials(ca=server.ca)
        with pytest.raises(SourceError, match="could not read Username"):
            await follow(tmp_path, f"{server.url}/shop.git", given=given).fetch()


def arguments_of_all() -> Iterator[bytes]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            for name in ("cmdline", "environ"):
                try:
                    yield (entry / name).read_bytes()
                except OSError:
                    continue


async def test_no_process_shows_the_password_and_nothing_of_it_stays(
    origin: Origin, tmp_path: Path
) -> None:
    seen: list[bytes] = []

    async def look() -> None:
        while True:
            seen.extend(arguments_of_all())
            await asyncio.sleep(0.002)

    async with https(origin.served.parent, tmp_path) as server:
        given = Credentials(USER, PASSWORD, ca=server.ca)
        repository = follow(tmp_path, f"{server.url}/shop.git", given=given)
        looking = asyncio.create_task(look())
        await repository.fetch()
        looking.cancel()
    assert any(b"git-remote-http" in line or b"fetch" in line for line in seen)
    assert not any(PASSWORD.encode() in line for line in seen)
    left = [p for p in (tmp_path / "clone").rglob("*") if p.is_file()]
    assert left
    for path in left:
        data = path.read_bytes()
        assert PASSWORD.encode() not in data
        assert b"s3cret" not in data
    assert (tmp_path / "clone").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("scheme", ["http", "git"])
async def test_credentials_are_not_sent_in_the_clear(tmp_path: Path, scheme: str) -> None:
    repository = follow(tmp_path, f"{scheme}://127.0.0.1:1/x", given=Credentials(USER, PASSWORD))
    with pytest.raises(SourceError, match="in the clear"):
        await repository.fetch()


async def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        repository = follow(tmp_path, f"git://127.0.0.1:{port}/x", timeout="1s")
        with pytest.raises(SourceError, match="no answer within 1 s"):
            await repository.fetch()


async def test_who_stops_waiting_leaves_no_process(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        url = f"git://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        fetching = asyncio.create_task(follow(tmp_path, url).fetch())
        await heard.wait()
        assert any(url.encode() in line for line in arguments_of_all())
        fetching.cancel()
        await asyncio.wait([fetching])
    assert not any(url.encode() in line for line in arguments_of_all())
    assert not list((tmp_path / "clone").glob(".session-*"))


async def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(SourceError, match=rf"git://127.0.0.1:{port}/x.*Connection refused"):
        await follow(tmp_path, f"git://127.0.0.1:{port}/x").fetch()


async def test_a_redirect_to_another_server_gets_no_credentials(
    origin: Origin, tmp_path: Path
) -> None:
    from aiohttp import web

    (tmp_path / "other").mkdir()
    async with https(origin.served.parent, tmp_path / "other") as elsewhere:
        (tmp_path / "first").mkdir()
        # The same authority vouches for both, so that only the credentials can stand in the way.
        given = Credentials(USER, PASSWORD, ca=elsewhere.ca)

        async def move(request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(elsewhere.url + request.path_qs)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", move)
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "other/server.pem", tmp_path / "other/server.key")
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        try:
            url = f"https://localhost:{runner.addresses[0][1]}/shop.git"
            with pytest.raises(SourceError):
                await follow(tmp_path, url, given=given).fetch()
        finally:
            await runner.cleanup()
        assert all(not authorization for _, authorization in elsewhere.seen)
        assert elsewhere.seen
