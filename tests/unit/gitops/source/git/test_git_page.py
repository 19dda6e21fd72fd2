"""Every example of docs/git.md is what it says it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import config
from reconciler.api import schemas
from reconciler.gitops.source import git
from reconciler.gitops.source.git.semver import Range
from reconciler.gitops.webhook.delivery import check

PAGE = (Path(__file__).parents[5] / "docs/git.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_sources_are_accepted_by_the_schema_and_by_the_source() -> None:
    sources: list[Any] = []
    for block in blocks("yaml"):
        found = yaml.safe_load(block)
        if found.get("kind") == "Application":
            assert schemas.errors(found) == []
            found = found["spec"]["source"]
        if "git" in found:
            sources.append(found["git"])
    assert len(sources) == 4
    for source in sources:
        git.parse(source)
        whole = {
            "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "x"},
            "spec": {"source": {"git": source}},
        }  # fmt: skip
        assert schemas.errors(whole) == []


def test_refs_of_the_table_are_understood() -> None:
    refs = [
        yaml.safe_load(text) for text in re.findall(r"`(\{(?:branch|tag|semver): [^`]*\})`", PAGE)
    ]
    assert len(refs) == 3
    for ref in refs:
        git.parse({"url": "https://h/x", "ref": ref})
    for text in ("^1.2", "~1.2.3", "1.x", "1.2 - 1.4"):
        assert f"`{text}`" in PAGE
        Range(text)


def test_the_webhook_section_is_a_configuration(tmp_path: Path) -> None:
    section = next(b for b in blocks("yaml") if b.startswith("# reconciler.yaml"))
    (tmp_path / "reconciler.yaml").write_text(section)
    loaded = config.load(tmp_path / "reconciler.yaml").webhook
    assert loaded.listen == "0.0.0.0:9000"
    assert loaded.secret_file == str(tmp_path / "webhook-secret")


def test_the_line_of_shell_signs_as_the_receiver_checks(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (script,) = blocks("sh")
    # curl stands in: it prints the body and the header that it would send.
    (tmp_path / "curl").write_text('#!/bin/sh\nprintf "%s\\n%s" "$2" "$4"\n')
    (tmp_path / "curl").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SECRET": "x y"}
    done = subprocess.run(
        ["sh", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    body, _, header = done.stdout.partition("\n")
    name, _, value = header.partition(": ")
    assert check({name.lower(): value}, body.encode(), [b"x y"], 0).sender == "generic"
