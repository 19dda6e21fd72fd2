"""Volumes of the process runtime, seen from inside containers and from the host."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import Mount, Security
from reconciler.runtime.process.supervisor import mountapi
from tests.unit.runtime.running import ended, log, pod, run, said, shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.runtime.process import ProcessRuntime


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume that every user may write."""
    path = tmp_path / "volume"
    path.mkdir()
    path.chmod(0o777)
    return path


async def test_a_sub_path_is_a_part_of_its_volume(
    runtime: ProcessRuntime, tmp_path: Path, volume: Path
) -> None:
    """P28: a file is mounted too; a directory that is missing gets the mode of its volume."""
    (volume / "file").write_text("content\n")
    mounts = (
        Mount("/no-such/dir", str(volume), sub_path="made/deep"),
        Mount("/no-such/file", str(volume), sub_path="file", readonly=True),
    )
    script = "cat /no-such/file; echo x > /no-such/dir/made; (echo y > /no-such/file) 2>/dev/null || echo refused"
    told = await said(runtime, tmp_path, script, mounts=mounts, security=Security(run_as_user=4242))
    assert (told[0], told[-1]) == ("content", "refused")
    assert (volume / "made/deep/made").read_text() == "x\n"
    assert (volume / "made").stat().st_mode & 0o7777 == 0o777


@pytest.mark.parametrize("target", ["/etc", "../outside", "inner/../../outside"])
async def test_a_sub_path_does_not_lead_out_of_its_volume(
    runtime: ProcessRuntime, tmp_path: Path, volume: Path, target: str
) -> None:
    (tmp_path / "outside").mkdir()
    (volume / "inner").mkdir()
    (volume / "link").symlink_to(target)
    for path in ("link", "link/passwd", "link/fresh"):
        mounts = (Mount("/no-such", str(volume), sub_path=path),)
        with pytest.raises(RuntimeFailure, match="it leads out of its volume") as caught:
            await run(runtime, tmp_path, shell("true", mounts=mounts))
        assert caught.value.reason == "CreateContainerConfigError"
    assert not list((tmp_path / "outside").iterdir())


async def test_a_sub_path_may_follow_links_within_its_volume(
    runtime: ProcessRuntime, tmp_path: Path, volume: Path
) -> None:
    (volume / "v2").mkdir()
    (volume / "v2/file").write_text("second\n")
    (volume / "current").symlink_to("v2")
    mounts = (Mount("/no-such", str(volume), sub_path="current"),)
    assert await said(runtime, tmp_path, "cat /no-such/file", mounts=mounts) == ["second"]


def test_links_swapped_meanwhile_lead_nobody_out(tmp_path: Path) -> None:
    """What a workload does to its volume while it is resolved: the answer is inside or an error, never outside."""
    inside, outside = tmp_path / "volume", tmp_path / "outside"
    for path in (inside / "part/leaf", outside / "leaf"):
        path.mkdir(parents=True)
    (inside / "link").symlink_to(outside)
    root = os.open(inside, os.O_PATH)
    swapping = os.fork()
    if swapping == 0:
        while True:  # renameat2(RENAME_EXCHANGE) would be one step; two are as good an attack
            os.rename(inside / "part", inside / "aside")  # noqa: PTH104
            os.rename(inside / "link", inside / "part")  # noqa: PTH104
            os.rename(inside / "part", inside / "link")  # noqa: PTH104
            os.rename(inside / "aside", inside / "part")  # noqa: PTH104
    try:
        for _ in range(3000):
            try:
                found = mountapi.make_beneath(root, "part/leaf/new")
            except OSError:
                continue
            where = os.readlink(f"/proc/self/fd/{found}")  # noqa: PTH115
            os.close(found)
            assert where.startswith(str(inside))
    finally:
        os.kill(swapping, 9)
        os.waitpid(swapping, 0)
        os.close(root)
    assert not (outside / "leaf/new").exists()


async def test_a_mount_within_a_volume_makes_nothing_outside_of_it(
    runtime: ProcessRuntime, tmp_path: Path, volume: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("nested\n")
    (volume / "evil").symlink_to(outside)
    mounts = (Mount("/no-such", str(volume)), Mount("/no-such/inside/deep", str(other)))
    told = await said(runtime, tmp_path, "cat /no-such/inside/deep/file", mounts=mounts)
    assert told == ["nested"]
    assert (volume / "inside/deep").is_dir()
    (box,) = await runtime.pods()
    evil = shell("true", mounts=(*mounts, Mount("/no-such/evil/deep", str(other))), attempt=1)
    container = await runtime.create_container(box.id, evil)
    with pytest.raises(RuntimeFailure, match="mountPath /no-such/evil/deep: a link in a volume"):
        await runtime.start_container(container)
    assert not list(outside.iterdir())


async def test_memory_holds_what_is_never_on_the_disk(
    runtime: ProcessRuntime, tmp_path: Path, volume: Path
) -> None:
    """P35, C08: shared by the containers, limited, gone with the sandbox; the host sees an empty directory."""
    box = await runtime.run_pod_sandbox(pod(tmp_path))
    descriptor = await runtime.memory_directory(box.id, str(volume), 1 << 20)
    assert descriptor is not None
    where = Path(f"/proc/self/fd/{descriptor}")
    (where / "password").write_text("secret\n")
    mounts = (Mount("/no-such", str(volume)),)
    script = (
        "cat /no-such/password; stat -f -c %T /no-such; echo kept > /no-such/file;"
        "head -c 2097152 /dev/zero > /no-such/much 2>/dev/null || echo full"
    )
    assert await said(runtime, tmp_path, script, mounts=mounts) == ["secret", "tmpfs", "full"]
    assert not list(volume.iterdir())
    again = await runtime.memory_directory(box.id, str(volume), 1 << 20)
    assert again is not None
    second = shell("cat /no-such/file", mounts=mounts)._replace(attempt=1, log_path="main/1.log")
    container = await runtime.create_container(box.id, second)
    await runtime.start_container(container)
    assert (await ended(runtime, container)).exit_code == 0
    for fd in (descriptor, again):
        os.close(fd)
    await runtime.remove_pod_sandbox(box.id)
    fresh = await runtime.run_pod_sandbox(pod(tmp_path)._replace(attempt=1))
    empty = await runtime.memory_directory(fresh.id, str(volume), 0)
    assert empty is not None
    assert not list(Path(f"/proc/self/fd/{empty}").iterdir())
    os.close(empty)


@pytest.mark.parametrize(("recursive", "expected"), [(True, "refused"), (False, "written")])
async def test_read_only_counts_for_what_is_mounted_below_where_that_is_asked(
    runtime: ProcessRuntime, tmp_path: Path, volume: Path, *, recursive: bool, expected: str
) -> None:
    below = volume / "below"
    below.mkdir()
    box = await runtime.run_pod_sandbox(pod(tmp_path))
    descriptor = await runtime.memory_directory(box.id, str(below), 0)
    assert descriptor is not None
    os.close(descriptor)
    mounts = (Mount("/no-such", str(volume), readonly=True, recursive_readonly=recursive),)
    script = (
        "(echo x > /no-such/file) 2>/dev/null && echo top;"
        "(echo x > /no-such/below/file) 2>/dev/null && echo written || echo refused"
    )
    assert await said(runtime, tmp_path, script, mounts=mounts) == [expected]


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host whose mounts propagate."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount on the host")
    path = tmp_path / "shared"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path)], check=True)
    subprocess.run(["mount", "--make-shared", str(path)], check=True)
    (path / "later").mkdir()
    yield path
    subprocess.run(["umount", "-l", "-R", str(path)], check=True)


async def test_what_the_host_mounts_later_appears_where_that_is_asked(
    runtime: ProcessRuntime, tmp_path: Path, shared: Path
) -> None:
    mounts = (
        Mount("/no-such/follows", str(shared), propagation="HostToContainer"),
        Mount("/no-such/stays", str(shared)),
    )
    script = (
        "echo up; while ! test -e /no-such/follows/later/file; do sleep 0.05; done;"
        "ls /no-such/stays/later | wc -l"
    )
    container = await run(runtime, tmp_path, shell(script, mounts=mounts))
    async with asyncio.timeout(20):
        while not log(tmp_path):
            await asyncio.sleep(0.01)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(shared / "later")], check=True)
    (shared / "later/file").touch()
    await ended(runtime, container)
    assert [line[2] for line in log(tmp_path)] == ["up", "0"]


async def test_what_mounts_cannot_do_here_is_refused(
    runtime: ProcessRuntime, tmp_path: Path, volume: Path
) -> None:
    mounts = (Mount("/no-such", str(volume), propagation="Bidirectional"),)
    with pytest.raises(RuntimeFailure, match="mountPropagation Bidirectional of /no-such"):
        await run(
            runtime, tmp_path, shell("true", mounts=mounts, security=Security(privileged=True))
        )
