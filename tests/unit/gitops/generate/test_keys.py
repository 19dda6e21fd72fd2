"""Age keys: where they lie, who may read them, and that a new one is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import RenderError
from reconciler.gitops.generate import AgeKeys

if TYPE_CHECKING:
    from pathlib import Path

pyrage = pytest.importorskip("pyrage", reason="age needs pyrage")


def test_a_file_of_others_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "age.txt"
    file.write_text(str(pyrage.x25519.Identity.generate()))
    file.chmod(0o644)
    with pytest.raises(RenderError, match="chmod 600"):
        _ = AgeKeys(tmp_path, {}).digest


def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    file = tmp_path / "age.txt"
    file.write_text("hunter2\n")
    file.chmod(0o600)
    with pytest.raises(RenderError, match="AGE-SECRET-KEY") as caught:
        _ = AgeKeys(tmp_path, {}).digest
    assert "hunter2" not in str(caught.value)


def test_keys_come_and_go_without_a_restart(tmp_path: Path) -> None:
    keys = AgeKeys(tmp_path / "keys", {})
    assert keys.digest == ""
    (tmp_path / "keys").mkdir()
    file = tmp_path / "keys/one.agekey"
    file.touch(mode=0o600)
    file.write_text(str(pyrage.x25519.Identity.generate()))
    assert keys.digest != ""
    file.unlink()
    assert keys.digest == ""


def test_the_file_that_sops_reads_is_read(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    file.touch(mode=0o600)
    file.write_text(str(pyrage.x25519.Identity.generate()))
    assert AgeKeys(None, {"SOPS_AGE_KEY_FILE": str(file)}).digest != ""
    with pytest.raises(RenderError, match="No such file"):
        _ = AgeKeys(None, {"SOPS_AGE_KEY_FILE": str(tmp_path / "gone")}).digest
