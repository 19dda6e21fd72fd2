"""docs/plans.md: its example prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.cli.main import main
from reconciler.gitops.hooks import DeletePolicy, HookPhase

PAGE = (Path(__file__).parents[4] / "docs" / "plans.md").read_text()


def test_the_example_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    command, _, shown = re.findall(r"```console\n\$ (.*?)```", PAGE, re.DOTALL)[0].partition("\n")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "all.yaml").write_text(manifests[0])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as done:
        main(["--state-dir", str(tmp_path / "state"), *command.split()[1:]])
    assert done.value.code == 0
    assert capsys.readouterr().out == shown


def test_every_phase_and_policy_is_on_the_page() -> None:
    assert [name for name in (*HookPhase, *DeletePolicy) if f"| `{name}`" not in PAGE] == []
