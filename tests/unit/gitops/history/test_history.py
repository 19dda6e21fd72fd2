"""Records and rendered sets, in files and in memory."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.gitops.digest import digest_of
from reconciler.gitops.history import (
    FileHistory,
    History,
    HistoryError,
    MemoryHistory,
    ObjectResult,
    Record,
)
from reconciler.gitops.history.comparison import differences
from reconciler.gitops.history.record import before, find
from reconciler.gitops.history.retention import kept

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.api.objects import Object

PASSWORD = "correct-horse-battery"


def config(name: str, value: str = "1") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"v": value},
    }


def secret(value: str = PASSWORD) -> Object:
    data = {"p": base64.b64encode(value.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}


def by_digest(*objects: Object) -> dict[str, Object]:
    return {digest_of(o): o for o in objects}


def record(number: int, digest: str = "", **fields: Any) -> Record:
    objects = (
        ObjectResult("", "ConfigMap", "default", "a", "update", "Succeeded", "", 0.25),
        ObjectResult("apps", "Deployment", "default", "b", "create", "Failed", "no"),
    )
    base = Record(
        number, "uid", f"rev{number}", digest, "user", "root", 1000.5 + number, 1001.0 + number,
        "Succeeded", "1 updated", "Ada", "Fix it", {"update": 1}, objects, "Healthy",
    )  # fmt: skip
    return base._replace(**fields)


@pytest.fixture(params=["files", "memory"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> History:
    return FileHistory(tmp_path) if request.param == "files" else MemoryHistory()


@pytest.mark.parametrize("part", ["", "shop", "shop/records", "shop/objects", "shop/sets"])
def test_a_history_that_cannot_be_read_says_so(tmp_path: Path, part: str) -> None:
    """Whatever lies in its way: here a file in a folder's place, which holds root up too."""
    place = tmp_path / "history" / part
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("")

    def use() -> None:
        history = FileHistory(tmp_path)
        history.put_set("shop", by_digest(config("a")))
        history.records("shop")

    with pytest.raises(HistoryError, match=f"cannot (read|write) {tmp_path}"):
        use()


def test_what_was_put_is_found_again(history: History) -> None:
    one = history.put_set("shop", by_digest(config("a"), secret()))
    history.put_record("shop", record(1, one, health=""))
    history.put_record("shop", record(2, one))
    history.put_record("shop", record(1, one))
    assert history.records("shop") == [record(1, one), record(2, one)]
    assert history.objects("shop", one) == [config("a"), secret()]
    assert history.records("blog") == []


def test_what_no_record_names_is_forgotten(history: History) -> None:
    one = history.put_set("shop", by_digest(config("a"), config("b")))
    two = history.put_set("shop", by_digest(config("a"), config("b", "2")))
    history.put_record("shop", record(1, one))
    history.put_record("shop", record(2, two))
    history.prune("shop", [2])
    assert [r.id for r in history.records("shop")] == [2]
    assert history.objects("shop", two) == [config("a"), config("b", "2")]
    with pytest.raises(HistoryError, match="not kept"):
        history.objects("shop", one)
    assert history.put_set("shop", by_digest(config("a"), config("b"))) == one
    assert history.objects("shop", one) == [config("a"), config("b")]
    history.drop("shop")
    assert history.records("shop") == []


def test_what_is_unchanged_is_not_written_again(tmp_path: Path) -> None:
    FileHistory(tmp_path).put_set("shop", by_digest(*(config(f"c{i}") for i in range(50))))
    files = {
        p: p.stat().st_mtime_ns for p in (tmp_path / "history").rglob("objects/*/*") if p.is_file()
    }
    assert len(files) == 50
    changed = [config(f"c{i}", "2" if i == 7 else "1") for i in range(50)]
    FileHistory(tmp_path).put_set("shop", by_digest(*changed))
    now = {
        p: p.stat().st_mtime_ns for p in (tmp_path / "history").rglob("objects/*/*") if p.is_file()
    }
    assert len(now) == 51
    assert files.items() <= now.items()


def test_secrets_are_sealed_and_nobody_else_may_read(tmp_path: Path) -> None:
    digest = FileHistory(tmp_path).put_set("shop", by_digest(config("a"), secret()))
    FileHistory(tmp_path).put_record("shop", record(1, digest))
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        if path.is_file():
            content = path.read_bytes()
            assert PASSWORD.encode() not in content
            assert base64.b64encode(PASSWORD.encode()) not in content
            assert digest_of(secret()) not in path.name, "a short value could be guessed from it"
    assert FileHistory(tmp_path).objects("shop", digest) == [config("a"), secret()]
    (tmp_path / "keys/history.key").write_bytes(bytes(64))
    with pytest.raises(HistoryError, match="another key"):
        FileHistory(tmp_path).objects("shop", digest)


def test_a_changed_set_or_object_is_refused(tmp_path: Path) -> None:
    history = FileHistory(tmp_path)
    digest = history.put_set("shop", by_digest(config("a")))
    (path,) = (tmp_path / "history/shop/objects").glob("*/*")
    path.write_text(path.read_text().replace('"1"', '"6"'))
    with pytest.raises(HistoryError, match="was changed"):
        history.objects("shop", digest)
    (path,) = (tmp_path / "history/shop/sets").glob("*")
    path.write_text('{"objects": [], "checksum": ""}')
    with pytest.raises(HistoryError, match="was changed"):
        history.objects("shop", digest)
    path.write_text("{")
    with pytest.raises(HistoryError, match="cannot be read"):
        history.objects("shop", digest)


def test_a_record_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    history = FileHistory(tmp_path)
    for number in (1, 2):
        history.put_record("shop", record(number))
    (tmp_path / "history/shop/records/00000001.json").write_text("{}")
    assert [r.id for r in history.records("shop")] == [2]


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError):
        FileHistory(tmp_path).put_record("../../etc", record(1))


@pytest.mark.parametrize(
    ("count", "seconds", "always", "expected"),
    [
        (3, 1e9, (), {8, 9, 10, 4}),  # and the last healthy one
        (100, 2.5, (), {8, 9, 10, 4}),
        (1, 0.0, (), {10, 4}),
        (1, 1e9, (2,), {10, 4, 2}),
    ],
)
def test_retention(count: int, seconds: float, always: tuple[int, ...], expected: set[int]) -> None:
    records = [
        record(i, "set", finished=float(i), health="Healthy" if i <= 4 else "")
        for i in range(1, 11)
    ]
    assert kept(records, count=count, seconds=seconds, now=10.0, always=always) == expected


def test_what_a_user_may_mean_and_what_comes_before() -> None:
    records = [
        record(1, "a", revision="abcdef01"), record(2, "b", revision="abcdef01"),
        record(3, "c", result="Failed"), record(4, "d", health="Degraded"), record(5, "e", health=""),
    ]  # fmt: skip
    assert [r.id for r in find(records, "2")] == [2]
    assert [r.id for r in find(records, "abcd")] == [1, 2]
    assert find(records, "abx") == []
    assert find(records, "a") == [], "too short to mean one"
    healthy = before(records, "e")
    assert healthy is not None
    assert healthy.id == 2
    assert before(records[:1], "a") is None


def test_two_sets_differ_by_fields_and_secrets_stay_masked() -> None:
    old = [config("a"), config("b"), secret("one")]
    found = differences(old, [config("a", "2"), secret("two"), config("c")], mask=b"k")
    assert [(d.action, d.key.name) for d in found] == [
        ("update", "a"), ("prune", "b"), ("create", "c"), ("update", "s"),
    ]  # fmt: skip
    assert (found[0].fields[0].before, found[0].fields[0].after) == ("1", "2")
    shown = str(found)
    assert base64.b64encode(b"one").decode() not in shown
    assert base64.b64encode(b"two").decode() not in shown
