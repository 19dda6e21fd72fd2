"""The systemd unit: what systemd itself says of it, and what must be in it for workloads to live."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.main import main
from reconciler.daemon.unit import MARK, Service, quoted, unit

SYSTEM = Service(("/usr/bin/true",), Path("/var/lib/reconciler"))


def lines(service: Service) -> list[str]:
    return unit(service).splitlines()


@pytest.mark.parametrize("user", [False, True])
def test_systemd_finds_nothing_wrong_with_it(user: bool, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "reconciler.service"
    service = Service(
        ("/usr/bin/true", "an argument"), tmp_path / "100% mine", tmp_path / 'a "b" $c.yaml', user
    )
    path.write_text(unit(service))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(["--user"] if user else []), str(path)],
        capture_output=True, text=True, check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if str(path) in line or path.name in line]
    assert told == [], done.stderr


def test_stopping_it_ends_the_daemon_alone() -> None:
    assert "KillMode=process" in lines(SYSTEM)
    assert "Delegate=yes" in lines(SYSTEM)
    assert "Type=notify" in lines(SYSTEM)


@pytest.mark.parametrize(
    "setting",
    [
        "NoNewPrivileges", "RestrictNamespaces", "ProtectHostname", "PrivateTmp", "PrivateDevices",
        "ProtectKernelTunables", "ProtectControlGroups", "PrivateNetwork", "ProtectClock",
        "MemoryDenyWriteExecute", "RestrictAddressFamilies", "ProtectProc", "RestrictSUIDSGID",
    ],
)  # fmt: skip
def test_nothing_is_taken_away_that_workloads_need(setting: str) -> None:
    """Each of these breaks Pods: their namespaces, host names, sysctls, devices, cgroups, or programs such as sudo."""
    for service in (SYSTEM, SYSTEM._replace(user=True)):
        assert not any(line.startswith(f"{setting}=") for line in lines(service))


def test_a_reload_checks_the_configuration_first() -> None:
    service = SYSTEM._replace(config=Path("/etc/reconciler/reconciler.yaml"))
    reloads = [line for line in lines(service) if line.startswith("ExecReload=")]
    assert reloads[0].endswith("--config /etc/reconciler/reconciler.yaml --check-config")
    assert reloads[1] == "ExecReload=/bin/kill -HUP $MAINPID"


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1))
def test_a_quoted_word_is_one_word(word: str) -> None:
    text = quoted(word)
    if text.startswith('"'):
        assert text.endswith('"')
        text = text[1:-1].replace('\\"', "\0").replace("\\\\", "\1")
        assert '"' not in text
        assert "\\" not in text
        text = text.replace("\0", '"').replace("\1", "\\")
    assert text.replace("%%", "%").replace("$$", "$") == word


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main(list(arguments))
    said = capsys.readouterr()
    return int(done.value.code or 0), said.out, said.err


def test_install_writes_it_and_uninstall_takes_it_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, state = tmp_path / "units", str(tmp_path / "state")
    there = ("--unit-dir", str(where))
    code, out, _ = run("--state-dir", state, "install", *there, "--dry-run", capsys=capsys)
    assert code == 0
    assert out.startswith(MARK)
    assert not where.exists()

    code, said, _ = run("--state-dir", state, "install", *there, capsys=capsys)
    assert code == 0
    assert "systemctl daemon-reload && systemctl enable --now reconciler.service" in said
    assert "reconciler uninstall" in said
    path = where / "reconciler.service"
    assert path.read_text() == out
    assert (
        f"ExecStart={sys.executable} -m reconciler --state-dir {state} daemon" in out.splitlines()
    )
    run("--state-dir", state, "install", *there, capsys=capsys)  # again: the same

    code, said, _ = run("uninstall", *there, capsys=capsys)
    assert (code, path.exists()) == (0, False)
    code, said, _ = run("uninstall", *there, capsys=capsys)
    assert "there is none" in said


def test_somebody_else_s_unit_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "reconciler.service"
    path.write_text("[Service]\n")
    there = ("--unit-dir", str(tmp_path))
    for verb in ("install", "uninstall"):
        code, _, error = run(verb, *there, capsys=capsys)
        assert code == 1
        assert "not written by reconciler" in error
    assert path.read_text() == "[Service]\n"
    assert run("install", *there, "--force", capsys=capsys)[0] == 0
    assert path.read_text().startswith(MARK)


def test_a_configuration_with_a_mistake_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "reconciler.yaml"
    config.write_text("nework: {}\n")
    code, _, error = run(
        "install", "--unit-dir", str(tmp_path), "--config", str(config), capsys=capsys
    )
    assert code == 1
    assert "reconciler.yaml:1:1" in error
    assert not (tmp_path / "reconciler.service").exists()
