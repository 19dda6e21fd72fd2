"""securityContext on the process runtime, seen from inside containers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import Mount, Security
from reconciler.runtime.process.supervisor import capabilities, identity, seccomp
from tests.unit.runtime.running import run, said, shell

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.runtime.process import ProcessRuntime

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")

_WHO = "id -u; id -g; id -G; umask; echo $HOME"
_RIGHTS = "grep -E '^(CapEff|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status | cut -f2"
_NONE = "0000000000000000"


def mask(*names: str) -> str:
    return f"{sum(1 << capabilities.NAMES.index(n) for n in names):016x}"


@as_root
async def test_a_container_runs_as_the_user_and_groups_of_its_security_context(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    security = Security(run_as_user=4242, run_as_group=4343, supplemental_groups=(4444, 4545))
    user, group, groups, umask, home = await said(runtime, tmp_path, _WHO, security=security)
    assert (user, group, umask, home) == ("4242", "4343", "0022", "/")
    assert set(groups.split()) == {"4343", "4444", "4545"}


async def test_a_container_can_be_any_one_user_without_root_too(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    security = Security(run_as_user=4242, run_as_group=4343)
    told = await said(runtime, tmp_path, f"id -u; id -g; {_RIGHTS}", security=security)
    assert told[:3] == ["4242", "4343", _NONE]


@as_root
@pytest.mark.parametrize(("strict", "groups"), [(False, {"77", "4646"}), (True, {"77"})])
async def test_groups_of_the_account_come_along_unless_the_policy_is_strict(
    runtime: ProcessRuntime, tmp_path: Path, *, strict: bool, groups: set[str]
) -> None:
    (tmp_path / "passwd").write_text("somebody:x:4242:77:Some Body:/srv/home:/bin/sh\n")
    (tmp_path / "group").write_text("extra:x:4646:other,somebody\nelse:x:4747:other\n")
    mounts = tuple(
        Mount(f"/etc/{n}", str(tmp_path / n), readonly=True) for n in ("passwd", "group")
    )
    security = Security(run_as_user=4242, strict_groups=strict)
    told = await said(runtime, tmp_path, _WHO, security=security, mounts=mounts)
    assert (told[:2], set(told[2].split()), told[4]) == (["4242", "77"], groups, "/srv/home")


async def test_capabilities_are_the_usual_few_and_not_those_of_the_host(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    effective, bounding, ambient, locked = _rights(await said(runtime, tmp_path, _RIGHTS))
    assert effective == bounding == mask(*capabilities.DEFAULT)
    assert (ambient, locked) == (_NONE, "0")


async def test_dropping_all_and_adding_one_leaves_one(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    security = Security(
        capabilities_drop=("ALL",), capabilities_add=("NET_ADMIN",), no_new_privileges=True
    )
    told = await said(runtime, tmp_path, _RIGHTS, security=security)
    effective, bounding, ambient, locked = _rights(told)
    assert effective == bounding == mask("NET_ADMIN")
    assert (ambient, locked) == (_NONE, "1")


async def test_the_privileged_have_all_that_the_host_has(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    security = Security(privileged=True)
    _, bounding, _, _ = _rights(await said(runtime, tmp_path, _RIGHTS, security=security))
    names = {n for i, n in enumerate(capabilities.NAMES) if int(bounding, 16) >> i & 1}
    assert names >= {"SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN"} | capabilities.DEFAULT


def _rights(lines: list[str]) -> tuple[str, str, str, str]:
    """Return CapEff, CapBnd, CapAmb and NoNewPrivs, in the order of /proc/PID/status."""
    effective, bounding, ambient, locked = lines
    return effective, bounding, ambient, locked


async def test_a_command_inside_is_no_more_than_the_container(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    security = Security(
        run_as_user=4242,
        run_as_group=4343,
        capabilities_drop=("ALL",),
        no_new_privileges=True,
        read_only_root=True,
    )
    config = shell("exec sleep 600", security=security, working_dir="/usr", env={"A": "b"})
    container = await run(runtime, tmp_path, config)
    script = f"id -u; id -g; {_RIGHTS}; pwd; echo $A; touch /tmp/x 2>/dev/null || echo refused"
    result = await runtime.exec_sync(container, ("sh", "-c", script), 20)
    expected = ["4242", "4343", _NONE, _NONE, _NONE, "1", "/usr", "b", "refused"]
    assert result.stdout.decode().split() == expected


async def test_a_read_only_root_leaves_volumes_writable(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    script = (
        "for place in /tmp /var/tmp /etc /no-such /no-such/data /run; do"
        " (echo x > $place/written-by-a-test) 2>/dev/null && echo $place; done"
    )
    security = Security(read_only_root=True)
    told = await said(
        runtime, tmp_path, script, security=security, mounts=(Mount("/no-such/data", str(data)),)
    )
    assert told == ["/no-such/data"]
    assert (data / "written-by-a-test").read_text() == "x\n"


async def test_the_kernel_is_not_open_to_containers(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    script = (
        "for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do"
        " (: > $file) 2>/dev/null && echo $file; done; cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c"
    )
    assert await said(runtime, tmp_path, script) == ["0"]


@pytest.mark.parametrize("user", [None, 4242])
async def test_runtime_default_refuses_what_reaches_into_the_kernel(
    runtime: ProcessRuntime, tmp_path: Path, user: int | None
) -> None:
    script = (
        "grep ^Seccomp: /proc/self/status | cut -f2; unshare -U true 2>/dev/null || echo refused;"
        '(sleep 0) & wait; python3 -c "import subprocess, threading;'
        "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join();"
        "print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout.strip())\""
    )
    security = Security(run_as_user=user, seccomp="RuntimeDefault")
    told = await said(runtime, tmp_path, script, security=security)
    assert told == ["2", "refused", "thread", "child"]


async def test_what_this_host_cannot_give_is_refused_and_told(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    for security, message in (
        (Security(capabilities_add=("NET_ADMINS",)), "unknown capability 'NET_ADMINS'"),
        (Security(seccomp="Localhost"), "seccompProfile Localhost is not available"),
    ):
        with pytest.raises(RuntimeFailure, match=message) as caught:
            await run(runtime, tmp_path, shell("true", security=security))
        assert caught.value.reason == "CreateContainerError"


def test_where_no_namespaces_can_be_made_nothing_is_dropped_in_silence() -> None:
    host = identity.Host(isolated=False, rootless=True)
    own = os.getuid()
    for security, part in (
        ({"run_as_user": own + 1}, f"runAsUser {own + 1}"),
        ({"read_only_root": True}, "readOnlyRootFilesystem"),
        ({"privileged": True}, "privileged"),
    ):
        assert part in identity.refusal(security, host)
    assert not identity.refusal({"run_as_user": own, "no_new_privileges": True}, host)


def test_a_machine_without_a_filter_says_so() -> None:
    with pytest.raises(seccomp.Unavailable, match="s390x"):
        seccomp.program(frozenset(), "s390x")
