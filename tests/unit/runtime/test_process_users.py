"""``hostUsers: false`` on the process runtime: root in the Pod is nobody on the host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.runtime.cri import Mount, Security
from reconciler.runtime.process.supervisor import users
from tests.unit.runtime.running import ended, log, pod, shell

if TYPE_CHECKING:
    from reconciler.runtime.process import ProcessRuntime

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to give")


async def started(runtime: ProcessRuntime, tmp_path: Path, script: str, **more: Any) -> str:
    box = await runtime.run_pod_sandbox(pod(tmp_path)._replace(own_users=True))
    container = await runtime.create_container(box.id, shell(script, **more))
    await runtime.start_container(container)
    return container


async def test_root_inside_is_nobody_outside(runtime: ProcessRuntime, tmp_path: Path) -> None:
    script = (
        "id -u; cut -c1-40 /proc/self/uid_map; for place in /etc /usr /root /no-such; do"
        " (echo x > $place/of-a-test) 2>/dev/null && echo $place; done; stat -c %u /etc"
    )
    await ended(runtime, await started(runtime, tmp_path, script))
    lines = [line[2] for line in log(tmp_path)]
    assert lines[0] == "0"
    inside, base, count = map(int, lines[1].split())
    assert (inside, count) == (0, users.COUNT)
    assert base >= 1 << 30
    assert lines[2:] == ["65534"]


@pytest.mark.parametrize("user", [None, 4242])
async def test_files_of_volumes_have_the_ids_that_the_pod_has(
    runtime: ProcessRuntime, tmp_path: Path, user: int | None
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    mounts = (Mount("/no-such/data", str(volume)),)
    script = (
        "touch /no-such/data/made; stat -c '%u %g' /no-such/data/made; echo again > /dev/stdout"
    )
    security = Security(run_as_user=user, run_as_group=user)
    await ended(runtime, await started(runtime, tmp_path, script, mounts=mounts, security=security))
    own = user or 0
    assert [line[2] for line in log(tmp_path)] == [f"{own} {own}", "again"]
    made = (volume / "made").stat()
    assert (made.st_uid, made.st_gid) == (own, own)


async def test_memory_and_commands_are_of_the_pods_ids_too(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    box = await runtime.run_pod_sandbox(pod(tmp_path)._replace(own_users=True))
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    descriptor = await runtime.memory_directory(box.id, str(secrets), 0)
    assert descriptor is not None
    password = Path(f"/proc/self/fd/{descriptor}/password")
    password.write_text("open sesame")
    password.chmod(0o400)
    os.close(descriptor)
    config = shell("exec sleep 600", mounts=(Mount("/no-such", str(secrets), readonly=True),))
    container = await runtime.create_container(box.id, config)
    await runtime.start_container(container)
    script = "cat /no-such/password; echo; id -u; readlink /proc/self/ns/user"
    result = await runtime.exec_sync(container, ("sh", "-c", script), 20)
    lines = result.stdout.decode().split("\n")
    assert lines[:2] == ["open sesame", "0"]
    (status,) = await runtime.containers()
    assert lines[2] == str(Path(f"/proc/{status.pid}/ns/user").readlink())
    assert lines[2] != str(Path("/proc/self/ns/user").readlink())


async def test_no_two_pods_have_the_same_ids(runtime: ProcessRuntime, tmp_path: Path) -> None:
    owners = set()
    for uid in ("u1", "u2"):
        box = await runtime.run_pod_sandbox(pod(tmp_path, uid)._replace(own_users=True))
        container = await runtime.create_container(box.id, shell("exec sleep 600"))
        await runtime.start_container(container)
        (status,) = await runtime.containers(uid)
        owners.add(Path(f"/proc/{status.pid}").stat().st_uid)
    assert len(owners) == 2
    assert 0 not in owners


def test_ranges_run_out_with_a_message() -> None:
    with pytest.raises(OSError, match="no range of user ids is left"):
        users.take({(1 << 30) + n * users.COUNT for n in range(8192)})
