"""Flags win over the file, the file over the defaults; and a daemon in the background is told what its starter was."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.daemon.options import Flags, resolve
from reconciler.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "reconciler.yaml"
    path.write_text("network: {httpPort: 81, httpsPort: 444}\nlog: {level: debug}\n")
    return path


def test_a_flag_wins_over_the_file(tmp_path: Path, file: Path) -> None:
    options = resolve(tmp_path, Flags(http_port=0, runtime="memory", config=file))
    assert options.config.network.http_port == 0
    assert options.config.network.https_port == 444
    assert options.config.log.level == "debug"
    assert options.config.runtime.name == "memory"


def test_the_file_of_the_working_directory_is_found_again_from_elsewhere(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = resolve(tmp_path, Flags(https_port=1))
    monkeypatch.chdir("/")
    file.write_text("network: {httpPort: 82, httpsPort: 445}\n")
    again = options.again()
    assert (again.config.network.http_port, again.config.network.https_port) == (82, 1)


def test_flags_become_arguments_and_nothing_else_does(tmp_path: Path, file: Path) -> None:
    options = resolve(tmp_path, Flags(http_port=0))
    assert options.flags.argv() == ["--http-port=0", f"--config={file}"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (Flags(pod_cidr="10.0.0.0/40"), "--pod-cidr: "),
        (Flags(listen="here"), "--listen: 'here' is not an address"),
        (Flags(service_cidr="10.244.0.0/24"), "--service-cidr: .*overlap"),
        (Flags(metrics_listen="9464"), "--metrics-listen: .*ADDRESS:PORT"),
        (Flags(config=Path("/nowhere/reconciler.yaml")), "cannot read /nowhere"),
    ],
)
def test_a_wrong_flag_is_named(tmp_path: Path, flags: Flags, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        resolve(tmp_path, flags)
