"""A Pod's volumes on disk, as the kubelet makes them."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from reconciler.api.objects import Key
from reconciler.errors import RuntimeFailure
from reconciler.kubelet.fields import PodValues
from reconciler.kubelet.volumes import (
    InMemory,
    MountedVolume,
    Volumes,
    in_memory,
    mounts_of,
    ownership,
    used_bytes,
)
from tests.unit.controllers.snapshot import World

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to groups")

NOWHERE = InMemory("none", {})


def pod(*volumes: dict[str, Any], **spec: Any) -> dict[str, Any]:
    meta = {"name": "web", "namespace": "shop", "uid": "u-1"}
    return {"kind": "Pod", "metadata": meta, "spec": {"volumes": list(volumes), **spec}}


def world(*objects: dict[str, Any]) -> World:
    made = World()
    for obj in objects:
        key = Key("", obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        made.objects[key] = obj
    return made


def secret(**data: str) -> dict[str, Any]:
    return {
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "shop"},
        "data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()},
    }


def claim(modes: list[str], **source: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    bound = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop"},
        "spec": {"accessModes": modes, "volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    return bound, {"kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": source}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_an_empty_dir_is_everybodys_and_stays_as_its_workload_left_it(tmp_path: Path) -> None:
    """P35: mode 0777 when it is new; a container that starts again finds it unchanged."""
    volumes, web = Volumes(tmp_path, world()), pod({"name": "cache", "emptyDir": {}})
    path = volumes.set_up(web, PodValues(), NOWHERE)["cache"].path
    assert mode(path) == 0o777
    path.chmod(0o700)
    (path / "file").touch()
    Volumes(tmp_path, world()).set_up(web, PodValues(), NOWHERE)
    assert (mode(path), [p.name for p in path.iterdir()]) == (0o700, ["file"])


def test_secrets_lie_in_memory_and_nowhere_else(tmp_path: Path) -> None:
    """C08: what holds secrets is written where the sandbox keeps its memory, and not at all before there is one."""
    web = pod(
        {"name": "login", "secret": {"secretName": "login", "defaultMode": 0o400}},
        {"name": "all", "projected": {"sources": [{"secret": {"name": "login"}}]}},
        {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "plain", "emptyDir": {}},
    )
    assert in_memory(web) == {"login": 0, "all": 0, "fast": 1 << 20}
    volumes = Volumes(tmp_path / "state", world(secret(password="open sesame")))
    volumes.set_up(web, PodValues(), None)
    memory = InMemory("box", {name: tmp_path / name for name in in_memory(web)})
    for path in memory.directories.values():
        path.mkdir()
    made = volumes.set_up(web, PodValues(), memory)
    assert (tmp_path / "login/password").read_text() == "open sesame"
    assert mode(tmp_path / "login/password") == 0o400
    assert (tmp_path / "all/password").read_text() == "open sesame"
    assert mode(tmp_path / "fast") == 0o777
    assert not [p for p in (tmp_path / "state").rglob("*") if p.is_file()]
    assert made["login"] == MountedVolume(volumes.directory("u-1", "login"), readonly=True)


def test_a_new_sandbox_gets_the_secrets_again(tmp_path: Path) -> None:
    web = pod({"name": "login", "secret": {"secretName": "login"}})
    volumes = Volumes(tmp_path / "state", world(secret(password="x")))
    for sandbox in ("first", "second"):
        (tmp_path / sandbox).mkdir()
        memory = InMemory(sandbox, {"login": tmp_path / sandbox})
        volumes.set_up(web, PodValues(), memory)
        assert (tmp_path / sandbox / "password").read_text() == "x"


def test_a_secret_that_is_missing_is_told_before_there_is_a_sandbox(tmp_path: Path) -> None:
    web = pod({"name": "login", "secret": {"secretName": "login"}})
    with pytest.raises(RuntimeFailure, match='secret "login" not found') as caught:
        Volumes(tmp_path, world()).set_up(web, PodValues(), None)
    assert caught.value.reason == "FailedMount"


@as_root
def test_volumes_are_given_to_the_fs_group(tmp_path: Path) -> None:
    context = {"securityContext": {"fsGroup": 4242}}
    web = pod(
        {"name": "cache", "emptyDir": {}},
        {"name": "login", "secret": {"secretName": "login", "defaultMode": 0o400}},
        **context,
    )
    volumes = Volumes(tmp_path, world(secret(password="x")))
    made = volumes.set_up(web, PodValues(), NOWHERE)
    cache = made["cache"].path
    assert (cache.stat().st_gid, mode(cache)) == (4242, 0o2777)
    password = made["login"].path / "password"
    assert (password.stat().st_gid, mode(password)) == (4242, 0o440)


@as_root
@pytest.mark.parametrize(("policy", "walked"), [("Always", True), ("OnRootMismatch", False)])
def test_a_claim_is_given_whole_unless_only_its_top_counts(
    tmp_path: Path, policy: str, *, walked: bool
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    ownership.give_tree(data, 4242)
    (data / "late").touch(mode=0o600)
    bound = claim(["ReadWriteOnce"], local={"path": str(data)})
    web = pod(
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        securityContext={"fsGroup": 4242, "fsGroupChangePolicy": policy},
    )
    volumes = Volumes(tmp_path, world(*bound))
    found = volumes.unowned(web, volumes.set_up(web, PodValues(), NOWHERE))
    assert bool(found) == walked
    for path in found.values():
        ownership.give_tree(path, 4242)
        late = (data / "late").stat()
        assert (late.st_gid, late.st_mode & 0o777) == (4242, 0o660)
    volumes.given(web, found)
    assert not volumes.unowned(web, volumes.set_up(web, PodValues(), NOWHERE))


@as_root
def test_giving_a_volume_follows_no_link_and_opens_no_pipe(tmp_path: Path) -> None:
    """The tree is the workload's: a link to the host's files, or a pipe nobody reads, must do nothing."""
    outside = tmp_path / "outside"
    (outside / "below").mkdir(parents=True)
    (outside / "file").touch(mode=0o600)
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "link").symlink_to(outside / "file")
    (volume / "directory").symlink_to(outside)
    os.mkfifo(volume / "pipe")
    ownership.give_tree(volume, 4242)
    for path in (outside, outside / "below", outside / "file"):
        assert path.stat().st_gid != 4242
    assert mode(outside / "file") == 0o600
    assert (volume / "link").lstat().st_gid == 4242


@pytest.mark.parametrize(
    ("modes", "source", "readonly"),
    [
        (["ReadWriteOnce"], {}, False),
        (["ReadWriteOnce"], {"readOnly": True}, True),
        (["ReadOnlyMany"], {}, True),
        (["ReadOnlyMany", "ReadWriteOnce"], {}, False),
    ],
)
def test_a_claim_is_read_only_where_that_is_asked_or_all_that_was_claimed(
    tmp_path: Path, modes: list[str], source: dict[str, Any], *, readonly: bool
) -> None:
    bound = claim(modes, hostPath={"path": str(tmp_path)})
    web = pod({"name": "data", "persistentVolumeClaim": {"claimName": "data", **source}})
    made = Volumes(tmp_path, world(*bound)).set_up(web, PodValues(), NOWHERE)
    assert made["data"] == MountedVolume(tmp_path, readonly)


def host(tmp_path: Path, name: str, kind: str = "") -> Path:
    web = pod({"name": "host", "hostPath": {"path": str(tmp_path / name), "type": kind}})
    return Volumes(tmp_path / "state", world()).set_up(web, PodValues(), NOWHERE)["host"].path


def test_host_paths_are_made_as_their_type_says(tmp_path: Path) -> None:
    assert mode(host(tmp_path, "made/deep", "DirectoryOrCreate")) == 0o755
    made = host(tmp_path, "made/file", "FileOrCreate")
    assert made.is_file()
    assert mode(made) == 0o644
    assert host(tmp_path, "untyped").is_dir()
    with pytest.raises(RuntimeFailure, match="No such file"):
        host(tmp_path, "missing/file", "FileOrCreate")


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("Directory", "directory"), ("DirectoryOrCreate", "directory"), ("File", "file"), ("FileOrCreate", "file"),
        ("Socket", "socket file"), ("CharDevice", "character device"), ("BlockDevice", "block device"),
    ],
)  # fmt: skip
def test_host_paths_are_what_their_type_says(tmp_path: Path, kind: str, word: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket file"))
    for name in ("directory", "file", "socket file"):
        if name == word:
            assert host(tmp_path, name, kind).name == name
        elif kind != "DirectoryOrCreate":
            told = f"hostPath type check failed: .* is not a {word}"
            with pytest.raises(RuntimeFailure, match=told):
                host(tmp_path, name, kind)


def mounts(privileged: bool = False, **mount: Any) -> Any:
    container = {
        "name": "main",
        "securityContext": {"privileged": privileged},
        "volumeMounts": [{"name": "data", "mountPath": "/data", **mount}],
    }
    volumes = {"data": MountedVolume(Path("/source"))}
    return mounts_of(container, {"POD": "web-0"}, volumes)[0]


def test_a_sub_path_may_name_variables() -> None:
    assert mounts(subPathExpr="logs/$(POD)").sub_path == "logs/web-0"


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ({"subPath": "/etc"}, "must not be an absolute path"),
        ({"subPath": "a/../../b"}, r"must not contain '\.\.'"),
        ({"subPathExpr": "$(NONE)"}, "names a variable that is not set"),
        ({"mountPropagation": "Bidirectional"}, "only to privileged containers"),
    ],
)
def test_a_mount_that_may_not_be_is_refused(mount: dict[str, Any], message: str) -> None:
    with pytest.raises(RuntimeFailure, match=message) as caught:
        mounts(**mount)
    assert caught.value.reason == "CreateContainerConfigError"


def test_usage_counts_what_files_take_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    before = used_bytes(tmp_path)
    (tmp_path / "deep/file").write_bytes(b"x" * 40960)
    assert used_bytes(tmp_path) - before == 40960
    (tmp_path / "again").hardlink_to(tmp_path / "deep/file")
    (tmp_path / "link").symlink_to("/usr")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert used_bytes(tmp_path) - before == 40960
    assert used_bytes(tmp_path / "none") == 0


def test_tearing_down_removes_what_a_workload_closed_and_nothing_it_points_to(
    tmp_path: Path,
) -> None:
    volumes, web = Volumes(tmp_path / "state", world()), pod({"name": "cache", "emptyDir": {}})
    cache = volumes.set_up(web, PodValues(), NOWHERE)["cache"].path
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    closed = cache / "closed/deeper"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    (closed / "link").symlink_to(outside)
    closed.chmod(0)
    closed.parent.chmod(0o500)
    (cache / "link").symlink_to(outside)
    volumes.tear_down("u-1")
    assert not volumes.pod_directory("u-1").exists()
    assert (outside / "kept").exists()


def test_a_volume_replaced_by_a_link_is_removed_and_not_what_it_points_to(tmp_path: Path) -> None:
    volumes, web = Volumes(tmp_path / "state", world()), pod({"name": "cache", "emptyDir": {}})
    cache = volumes.set_up(web, PodValues(), NOWHERE)["cache"].path
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    cache.rmdir()
    cache.symlink_to(outside)
    volumes.tear_down("u-1")
    assert not volumes.pod_directory("u-1").exists()
    assert (outside / "kept").exists()


def provisioned(name: str, path: str, **spec: Any) -> dict[str, Any]:
    meta = {
        "name": name,
        "annotations": {"pv.kubernetes.io/provisioned-by": "reconciler.dev/local-path"},
    }
    return {"kind": "PersistentVolume", "metadata": meta, "spec": {"local": {"path": path}, **spec}}


def test_the_data_of_a_provisioned_volume_goes_with_it(tmp_path: Path) -> None:
    volume = provisioned("pvc-1", "/shop/data")
    volumes = Volumes(tmp_path, world(volume))
    (volumes.volume_path(volume) / "file").touch()
    volumes.delete_volume(volume)
    assert not (tmp_path / "volumes/shop/data").exists()


def test_only_data_that_was_provisioned_here_is_ever_deleted(tmp_path: Path) -> None:
    """Whoever may write PersistentVolumes can name any path of the host, and the finalizer that asks for its deletion."""
    host_data = tmp_path / "host"
    host_data.mkdir()
    (host_data / "kept").touch()
    own = provisioned("pvc-1", "/shop/data")
    volumes = Volumes(tmp_path / "state", world(own))
    (volumes.volume_path(own) / "kept").touch()
    meta = {"name": "forged"}
    for forged in (
        {
            "kind": "PersistentVolume",
            "metadata": meta,
            "spec": {"hostPath": {"path": str(host_data)}},
        },
        {"kind": "PersistentVolume", "metadata": meta, "spec": {"local": {"path": str(host_data)}}},
        provisioned("forged", "/shop/data"),
        provisioned("forged", "/shop/../shop/data"),
        provisioned("forged", "/shop"),
        provisioned("forged", "../../host"),
    ):
        volumes.delete_volume(forged)
    assert (host_data / "kept").exists()
    assert (volumes.volume_path(own) / "kept").exists()


@pytest.mark.parametrize("name", ["../../outside", "..", "a/b"])
def test_a_volume_lies_within_its_pod_whatever_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeFailure, match="is no name of a volume"):
        Volumes(tmp_path / "state", world()).set_up(
            pod({"name": name, "emptyDir": {}}), PodValues(), NOWHERE
        )


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    items = [{"key": "password", "path": "a\0b"}]
    web = pod({"name": "login", "secret": {"secretName": "login", "items": items}})
    with pytest.raises(RuntimeFailure, match="no file can be called") as caught:
        Volumes(tmp_path, world(secret(password="x"))).set_up(web, PodValues(), NOWHERE)
    assert caught.value.reason == "FailedMount"
