"""``reconciler.yaml``: every mistake is told with its place and what would be right."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api import schemas
from reconciler.cli.main import RUNTIMES
from reconciler.config import Config, load
from reconciler.config.address import parse_address
from reconciler.config.document import read
from reconciler.config.duration import seconds_of
from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: dict[str, Any] = json.loads((schemas.directory() / "reconciler.json").read_text())


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "reconciler.yaml"
    path.write_text(text)
    return path


def test_every_section_is_read(tmp_path: Path) -> None:
    config = load(
        write(
            tmp_path,
            """
runtime:
  name: memory
  process: {images: [{image: "nginx:*", command: [nginx], workingDir: /srv}]}
network: {listen: "::1", httpPort: 0, podCIDR: 10.1.0.0/16}
log: {level: debug, format: json}
metrics: {listen: "127.0.0.1:9464"}
history: {limit: 3, maxAge: 30d}
applications: [apps, /srv/apps]
""",
        )
    )
    assert config.runtime.name == "memory"
    assert config.runtime.process.images[0].working_dir == "/srv"
    assert (config.network.listen, config.network.http_port) == ("::1", 0)
    assert (config.network.pod_cidr, config.network.https_port) == ("10.1.0.0/16", 8443)
    assert (config.log.level, config.log.format) == ("debug", "json")
    assert config.history.max_age_seconds == 30 * 86400
    assert config.applications == (str(tmp_path / "apps"), "/srv/apps")


@pytest.mark.parametrize("text", ["", "# nothing\n", "network:\n", "network: {listen: }\n"])
def test_what_is_not_said_is_as_by_default(tmp_path: Path, text: str) -> None:
    assert load(write(tmp_path, text)) == Config()


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("netwrok: {}\n", "1:1", 'did you mean "network"?'),
        ("network:\n  httpport: 80\n", "2:3", 'did you mean "httpPort"?'),
        ("network:\n  httpPort: http\n", "2:3", "expected an integer"),
        ("network:\n  httpPort: 99999\n", "2:3", "65535"),
        ("log:\n  level: inof\n", "2:3", 'did you mean "info"?'),
        ("network: {listen: everywhere}\n", "1:11", "expected one as 127.0.0.1"),
        ("network: {podCIDR: 10.0.0.0/99}\n", "1:11", "10.244.0.0/16"),
        ("network: {podCIDR: 10.0.0.0/8}\n", "1:1", "overlap"),
        ("metrics: {listen: 9464}\n", "1:11", "expected a string"),
        ("metrics: {listen: nowhere}\n", "1:11", "ADDRESS:PORT"),
        ("history: {maxAge: soon}\n", "1:11", "as 30s, 5m"),
        ("runtime:\n  process:\n    images:\n    - image: nginx\n", "4:7", "command"),
        ("applications: apps\n", "1:1", "expected an array"),
        ("- a\n", "1:1", "expected an object"),
        ("log: {level: info}\nlog: {level: debug}\n", "2:1", "first in line 1"),
        ("log: [\n", "2:1", "expected"),
        ("log: {level: *x}\n", "1:14", "undefined alias"),
        ("? [a]\n: b\n", "1:3", "a key must be a word"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, where: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as told:
        load(path)
    assert f"{path}:{where}" in str(told.value), str(told.value)
    assert says in str(told.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        load(write(tmp_path, "log: {level: loud}\nnetwork: {httpPort: -1}\nx: 1\n"))
    assert str(told.value).count("reconciler.yaml:") == 3


def test_an_alias_bomb_is_no_configuration(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="more than"):
        load(write(tmp_path, "\n".join(lines)))
    with pytest.raises(ConfigError):
        load(write(tmp_path, "a: &a [*a]\n"))
    with pytest.raises(ConfigError, match="larger than"):
        load(write(tmp_path, "#" * (2 << 20)))


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "missing.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"log: \xff\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(path)


def described(schema: dict[str, Any]) -> Any:
    """Return the names and defaults that a schema tells of."""
    if "properties" in schema:
        return {name: described(below) for name, below in schema["properties"].items()}
    return schema.get("default")


def structured(cls: Any) -> Any:
    """Return the names and defaults that a struct has; a nested one by its fields, a list by nothing."""
    found = {}
    for field in msgspec.structs.fields(cls):
        if isinstance(field.default, msgspec.Struct):
            found[field.encode_name] = structured(type(field.default))
        else:
            plain = isinstance(field.default, (str, int, bool, float))
            found[field.encode_name] = field.default if plain else None
    return found


def test_the_schema_and_the_structs_say_the_same() -> None:
    assert structured(Config) == described(SCHEMA)


def test_the_schema_knows_every_runtime() -> None:
    assert SCHEMA["properties"]["runtime"]["properties"]["name"]["enum"] == list(RUNTIMES)


@pytest.mark.parametrize("text", ["", "9464", "host:1", "127.0.0.1:", "127.0.0.1:65536", "a:b:c"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ADDRESS:PORT"):
        parse_address(text)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-1s", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds_of(text)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab:#-{}[]*&! ", max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("abc", min_size=1), below),
    max_leaves=8,
)


@given(plain)
def test_whatever_the_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    """Never a traceback; and plain data comes back as it was written, empty keys aside."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(data))
    assert read(path).data == (without_nothing(data) if data is not None else {})
    with contextlib.suppress(ConfigError):
        load(path)


def without_nothing(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: without_nothing(v) for k, v in data.items() if v is not None}
    return [without_nothing(v) for v in data] if isinstance(data, list) else data
