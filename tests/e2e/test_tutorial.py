"""docs/tutorial.md, command by command, as a newcomer types them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import ROOT, eventually

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PAGE = (ROOT / "docs/tutorial.md").read_text()


class Newcomer:
    """Types the page's commands into one shell after another, in the folder where the last one was left."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._here = machine.work

    def type(self, command: str) -> str:
        """Return what a command prints; it has to succeed."""
        machine = self._machine
        tools = machine.work / "bin"
        tools.mkdir(exist_ok=True)
        if not (tools / "reconciler").exists():
            (tools / "reconciler").symlink_to(machine.command[0])
        identity = {f"GIT_{who}_{what}": "ann" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
        environment = {**machine.environment(), **identity, "GIT_CONFIG_NOSYSTEM": "1"}
        environment["PATH"] = f"{tools}:{environment['PATH']}"
        del environment["RECONCILER_STATE_DIR"]
        done = subprocess.run(
            ["bash", "-c", f"{command}\nstatus=$?; pwd > {machine.work}/here; exit $status"],
            cwd=self._here, env=environment, user=machine.user, group=machine.user,
            extra_groups=[] if machine.user else None, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        self._here = Path((machine.work / "here").read_text().strip())
        return done.stdout


def steps() -> list[tuple[str, str]]:
    """Return the page's commands, each with what it is said to print."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


def test_every_step_does_what_the_page_says(machine: Machine) -> None:
    examples = machine.work / "examples"
    examples.mkdir()
    machine.copy("gitops").rename(examples / "gitops")
    newcomer = Newcomer(machine)
    config = examples / "gitops/reconciler.yaml"
    text = config.read_text()
    config.write_text(text.replace("8080", "0").replace("8443", "0"))  # other tests run beside it

    def types(command: str, output: str) -> bool:
        if "127.0.0.1:8080" in command:
            command = command.replace("http://127.0.0.1:8080", machine.ingress())
        told = newcomer.type(command)
        lines = [re.escape(line).replace("…", ".*") for line in output.splitlines()]
        return all(re.search(line, told) for line in lines)

    machine.state = machine.work / "gitops/state"
    for command, output in steps():
        if output and "curl" not in command:
            eventually(lambda c=command, o=output: types(c, o), timeout=100)  # type: ignore[misc]
        elif output:
            # Each visit counts: the page's number is the one of somebody who asks once.
            said = re.sub(r"visitor \d+", "visitor …", output)
            eventually(lambda c=command, o=said: types(c, o), timeout=60)  # type: ignore[misc]
        else:
            types(command, "")
    assert (machine.work / "gitops/plan.json").exists()
