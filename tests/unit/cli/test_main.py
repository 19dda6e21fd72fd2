"""The command line's entry: exit codes, one-line errors, what help loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli import settings
from reconciler.cli.daemon import unheeded
from reconciler.cli.main import VERBS, group, main
from reconciler.simulation import Story, Verdict


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_loads_neither_the_server_nor_the_schemas() -> None:
    code = (
        "import sys\nfrom reconciler.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('LOADED', sorted({'aiohttp', 'jsonschema', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_loads_and_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([verb, "--help"])
    assert done.value.code == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["nope"], ["get"], ["scale", "deploy/x"], ["get", "nosuchkind"]]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("statsu", "Did you mean 'status'?"),
        ("apply", "reconciler up PATH"),
        ("port-forward", "NodePort"),
        ("edit", "manifest"),
        ("bogus", "No such command 'bogus'."),
    ],
)
def test_a_verb_that_there_is_not_names_the_one_that_there_is(
    verb: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main([verb, "-f", "x"])
    assert done.value.code == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_what_a_daemon_that_runs_does_not_hold_to_is_named() -> None:
    """Its ports and addresses are of when it was started; 0 is any port."""
    details = {"ingress": {"http": "http://127.0.0.1:8080", "https": "https://127.0.0.1:8443"}}
    given = {"http_port": 8080, "https_port": 0, "listen": "127.0.0.1", "pod_cidr": None}
    assert unheeded(given, details) == []
    given |= {"http_port": 80, "listen": "::", "pod_cidr": "10.1.0.0/16"}
    assert unheeded(given, details) == ["--http-port 80", "--listen ::", "--pod-cidr 10.1.0.0/16"]


@pytest.mark.parametrize("verb", ["get pods", "status", "logs web", "events", "describe pod web"])
def test_without_a_daemon_one_line_says_how_to_start_one(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--state-dir", str(tmp_path), *verb.split()])
    assert done.value.code == 1
    error = capsys.readouterr().err
    assert error == (
        f"error: no reconciler daemon runs on {tmp_path}: start one with `reconciler up PATH` "
        "or `reconciler daemon`\n"
    )


def test_a_traceback_only_with_vv(tmp_path: Path) -> None:
    assert "Traceback" not in run("--state-dir", str(tmp_path), "get", "pods").stderr
    assert "Traceback" in run("-vv", "--state-dir", str(tmp_path), "get", "pods").stderr


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(group, "main", interrupted)
    with pytest.raises(SystemExit) as done:
        main([])
    assert done.value.code == 130


def test_a_reader_that_has_gone_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "reconciler", "completion", "bash"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_where_state_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECONCILER_STATE_DIR", "/srv/state")
    assert settings.default_state_dir() == Path("/srv/state")
    monkeypatch.delenv("RECONCILER_STATE_DIR")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert settings.default_state_dir() == Path("/var/lib/reconciler")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert settings.default_state_dir() == tmp_path / "reconciler"


@pytest.mark.parametrize("verb", ["get pods", "rollout history deploy/web"])
def test_the_state_directory_may_stand_after_the_verb(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main([*verb.split(), "--state-dir", str(tmp_path)])
    assert done.value.code == 1
    assert f"no reconciler daemon runs on {tmp_path}:" in capsys.readouterr().err


def test_the_exit_code_of_a_simulation_that_fails_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that asks for a thousand seeds must not go on when one of them breaks."""
    broken = Verdict(Story(3, ()), "it broke", 0, 0)
    monkeypatch.setattr("reconciler.simulation.play", lambda story: broken)
    with pytest.raises(SystemExit) as done:
        main(["simulate", "--seed", "3"])
    assert done.value.code == 1
    assert "it broke" in capsys.readouterr().out
