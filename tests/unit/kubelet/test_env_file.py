"""Values of variables from files that other containers of a Pod left (fileKeyRef)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import RuntimeFailure
from reconciler.kubelet.env_file import BadEnvFile, value_of
from reconciler.kubelet.fields import PodValues
from reconciler.kubelet.volumes import InMemory, Volumes
from reconciler.kubelet.volumes.beneath import LeadsOut, read_beneath
from tests.unit.controllers.snapshot import World
from tests.unit.kubelet.node import state, waits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.kubelet.node import Node


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("A='1'", "A", "1"),
        ("A='1'\nB='2'\n", "B", "2"),
        ("  A='1'\n\t\tB='2'\n", "B", "2"),
        ("# A='0'\n\n \t\n  # x\nA='1' # one\n", "A", "1"),
        ("A='a#b=c \"d\" $E ${F} \\n'\n", "A", 'a#b=c "d" $E ${F} \\n'),
        ("A='one\n\n # two \n'\nB='3'\n", "A", "one\n\n # two \n"),
        ("A='one\n\n # two \n'\nB='3'\n", "B", "3"),
        ("A=''\n", "A", ""),
        ("A='   '\n", "A", "   "),
        ("A='1'\nA='2'\n", "A", "1"),
        ("A='1'\n", "B", None),
        ("", "A", None),
        ("# nothing", "A", None),
        ("A='1'\njunk\n", "A", "1"),
    ],
)
def test_what_a_file_says(text: str, key: str, value: str | None) -> None:
    assert value_of(text, key) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A='1'\njunk\nB='2'\n", "invalid environment variable format at line 2"),
        ("='1'\nB='2'\n", "invalid environment variable format at line 1"),
        ("A ='1'\nB='2'\n", "whitespace before '=' is not allowed at line 1"),
        ("A= '1'\nB='2'\n", "value must be enclosed in single quotes at line 1"),
        ("B=2\n", "value must be enclosed in single quotes at line 1"),
        ('B="2"\n', "value must be enclosed in single quotes at line 1"),
        ("B='1''2'\n", "unexpected content after closing quote at line 1"),
        ("B='1'2\n", "unexpected content after closing quote at line 1"),
        ("B='1'# no comment\n", "unexpected content after closing quote at line 1"),
        ("A='1\n2'\nB='3\nC='4'\n", "unexpected content after closing quote at line 4"),
        ("A='1\n2'\nB='3\n", "unclosed quote at line 3"),
        ("B='a\0b'\n", "a character that no variable can hold at line 1"),
    ],
)
def test_what_no_file_of_variables_is(text: str, told: str) -> None:
    with pytest.raises(BadEnvFile, match=f"^{told}$"):
        value_of(text, "B")


# -- what may be read --------------------------------------------------------------------------------------------


def test_a_link_may_lead_anywhere_in_its_volume(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    (root / "v2").mkdir(parents=True)
    (root / "v2/app.env").write_text("A='2'")
    (root / "current").symlink_to("v2")
    (root / "v2/same.env").symlink_to("../v2/./app.env")
    for path in ("v2/app.env", "current/app.env", "current/same.env", "./v2//app.env"):
        assert read_beneath(root, path, 100) == b"A='2'", path


@pytest.mark.parametrize(
    ("link", "to"),
    [
        ("x", "/etc/hostname"),
        ("x", "../outside"),
        ("x", "d/../../outside"),
        ("d/x", "../../outside"),
    ],
)
def test_no_link_leads_out(tmp_path: Path, link: str, to: str) -> None:
    root = tmp_path / "volume"
    (root / "d").mkdir(parents=True)
    (tmp_path / "outside").write_text("secret")
    (root / link).symlink_to(to)
    with pytest.raises(LeadsOut):
        read_beneath(root, link, 100)
    (root / "up").symlink_to("..")
    with pytest.raises(LeadsOut):
        read_beneath(root, "up/outside", 100)


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "around").symlink_to("around")
    (tmp_path / "large").write_bytes(b"x" * 101)
    for name in ("pipe", "around", "large", ".", "missing", "large/x"):
        with pytest.raises(OSError, match=r".") as caught:
            read_beneath(tmp_path, name, 100)
        assert isinstance(caught.value, FileNotFoundError) == (name == "missing")


def test_a_link_that_is_laid_meanwhile_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workload swaps a plain file for a link after it was looked at and before it is opened."""
    root = tmp_path / "volume"
    root.mkdir()
    (tmp_path / "outside").write_text("secret")
    (root / "x").write_text("A='1'")
    look = os.stat

    def swapped(path: Any, **options: Any) -> os.stat_result:
        found = look(path, **options)
        if path == "x" and stat.S_ISREG(found.st_mode):
            (root / "x").unlink()
            (root / "x").symlink_to("../outside")
        return found

    monkeypatch.setattr(os, "stat", swapped)
    with pytest.raises(OSError, match="symbolic links"):
        read_beneath(root, "x", 100)


def test_only_an_empty_dir_is_read(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, World())
    pod = {
        "metadata": {"uid": "u", "name": "p", "namespace": "d"},
        "spec": {
            "volumes": [
                {"name": "host", "hostPath": {"path": "/etc"}},
                {"name": "e", "emptyDir": {}},
            ]
        },
    }
    nowhere = InMemory("", {})
    made = volumes.set_up(pod, PodValues(), nowhere)
    (made["e"].path / "a.env").write_text("A='1'")
    assert volumes.read_file(pod, "e", "a.env", nowhere) == "A='1'"
    assert volumes.read_file(pod, "e", "b.env", nowhere) is None
    with pytest.raises(RuntimeFailure, match="embedded null byte"):
        volumes.read_file(pod, "e", "a\0b", nowhere)
    for name, told in (("host", "is not an emptyDir"), ("x", "is not in the Pod")):
        with pytest.raises(RuntimeFailure, match=told) as caught:
            volumes.read_file(pod, name, "hostname", nowhere)
        assert caught.value.reason == "CreateContainerConfigError"


# -- real containers ---------------------------------------------------------------------------------------------


def from_file(name: str, **ref: Any) -> dict[str, Any]:
    return {
        "name": name,
        "valueFrom": {"fileKeyRef": {"volumeName": "c", "path": "app.env", "key": name, **ref}},
    }


def writes(script: str, medium: str = "") -> dict[str, Any]:
    first = {
        "name": "first", "image": "a:1", "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "c", "mountPath": "/c"}],
    }  # fmt: skip
    return {"volumes": [{"name": "c", "emptyDir": {"medium": medium}}], "initContainers": [first]}


@pytest.mark.parametrize("medium", ["", "Memory"])
async def test_a_container_finds_what_the_one_before_wrote(node: Node, medium: str) -> None:
    env = [
        from_file("HOST"),
        {"name": "URL", "value": "http://$(HOST)/"},
        from_file("NONE", optional=True),
        from_file("X", path="no.env", optional=True),
    ]
    await node.run(
        'echo "$HOST $URL ${NONE-unset} ${X-unset}"; ls /c 2>&1 | grep -c app.env',
        container={"env": env},
        **writes("echo \"HOST='db.shop'\" > /c/app.env", medium),
    )
    pod = await node.finished()
    # The volume is not the second container's.
    assert node.output(pod) == ["db.shop http://db.shop/ unset unset", "0"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("true", "file app.env of volume c not found"),
        ("echo \"B='1'\" > /c/app.env", 'environment variable key "A" not found in file app.env of volume c'),
        ("echo A=hidden > /c/app.env", "couldn't parse env file: file app.env of volume c: value must be"),
        ("ln -s /etc/hostname /c/app.env", "file app.env of volume c cannot be read: it leads out"),
        ("mkdir /c/app.env", "file app.env of volume c cannot be read: it is no plain file"),
    ],
)  # fmt: skip
async def test_what_keeps_a_container_from_its_start_is_told(
    node: Node, script: str, told: str
) -> None:
    await node.run("true", container={"env": [from_file("A")]}, **writes(script))
    pod = await node.until(waits("CreateContainerConfigError"))
    message = state(pod)["waiting"]["message"]
    assert told in message
    assert "hidden" not in message
