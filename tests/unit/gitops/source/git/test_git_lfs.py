"""Files that Git LFS keeps, fetched by git-lfs from a server that speaks its API, when they are asked for."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from reconciler.errors import SourceError
from reconciler.gitops.source.git.credentials import Credentials
from tests.unit.gitops.source.git.origin import Origin, follow, texts
from tests.unit.gitops.source.git.servers import PASSWORD, USER, https

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"large: content\n"
OID = hashlib.sha256(CONTENT).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize {len(CONTENT)}\n"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    if shutil.which("git-lfs") is None:
        pytest.skip("git-lfs is not installed")
    made = Origin(tmp_path)
    made.commit(large=POINTER, small="small\n")
    return made


async def lfs(request: web.Request) -> web.StreamResponse | None:
    """Answer the batch API and downloads (git-lfs: docs/api/batch.md)."""
    if request.path.endswith("/info/lfs/objects/batch"):
        asked = (await request.json())["objects"]
        link = f"{request.scheme}://{request.host}/objects/"
        header = {"Authorization": request.headers["Authorization"]}
        objects = []
        for one in asked:
            download = {"href": link + one["oid"], "header": header}
            objects.append({**one, "authenticated": True, "actions": {"download": download}})
        return web.json_response(
            {"transfer": "basic", "objects": objects}, content_type="application/vnd.git-lfs+json"
        )
    if request.path == f"/objects/{OID}":
        return web.Response(body=CONTENT)
    return None


async def test_a_file_of_lfs_is_fetched_with_the_credentials(
    origin: Origin, tmp_path: Path
) -> None:
    async with https(origin.served.parent, tmp_path, more=lfs) as server:
        given = Credentials(USER, PASSWORD, ca=server.ca)
        repository = follow(tmp_path, f"{server.url}/shop.git", given=given, lfs=True)
        found = await repository.read(await repository.fetch())
        assert texts(found.files) == {"large.yaml": CONTENT.decode(), "small.yaml": "small\n"}
        assert found.problems == ()
        # What is unchanged is not fetched again.
        asked = len([path for path, _ in server.seen if "lfs" in path])
        origin.commit(small="other\n")
        found = await repository.read(await repository.fetch())
        assert texts(found.files) == {"large.yaml": CONTENT.decode(), "small.yaml": "other\n"}
        assert len([path for path, _ in server.seen if "lfs" in path]) == asked


async def test_a_file_that_lfs_does_not_have_is_told(origin: Origin, tmp_path: Path) -> None:
    async with https(origin.served.parent, tmp_path) as server:
        given = Credentials(USER, PASSWORD, ca=server.ca)
        repository = follow(tmp_path, f"{server.url}/shop.git", given=given, lfs=True)
        revision = await repository.fetch()
        with pytest.raises(SourceError, match=r"large\.yaml: Git LFS"):
            await repository.read(revision)
