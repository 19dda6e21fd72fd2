"""Documents that the real sops encrypted, and what somebody made of them afterwards."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.gitops.generate import AgeKeys
from reconciler.gitops.render import Rendered, render
from reconciler.gitops.render.sops import DecryptCache, NoIdentities, decrypt
from reconciler.gitops.source import File, Snapshot

pyrage = pytest.importorskip("pyrage", reason="age needs pyrage")

SOPS = shutil.which("sops", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
needs_sops = pytest.mark.skipif(SOPS is None, reason="the sops binary is not installed")

PLAIN = """\
apiVersion: v1
kind: Secret
metadata:
  name: db
  annotations: {a: "1", n: null}
stringData:
  # a comment is encrypted too
  password: "pässwörd: x"
  empty: ""
  multi: |
    a
    b
extra: {n: 12, f: 1.5, g: 1e21, b: true, l: [1, x, {y: z}]}
---
apiVersion: v1
kind: Secret
metadata: {name: two}
data: {a: YQ==}
"""
OBJECTS: list[Any] = [
    {
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "db", "annotations": {"a": "1", "n": None}},
        "stringData": {"password": "pässwörd: x", "empty": "", "multi": "a\nb\n"},
        "extra": {"n": 12, "f": 1.5, "g": 1e21, "b": True, "l": [1, "x", {"y": "z"}]},
    },
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "two"}, "data": {"a": "YQ=="}},
]  # fmt: skip


class Key:
    """An age identity in a directory, as the state directory has it."""

    def __init__(self, directory: Path) -> None:
        identity = pyrage.x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        self.public = identity.to_public()
        directory.mkdir(exist_ok=True)
        file = directory / "age.txt"
        file.write_text(f"# created by a test\n{identity}\n")
        file.chmod(0o600)
        self.keys = AgeKeys(directory, {})


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return Key(tmp_path / "keys")


def sops(text: str, recipient: str, tmp_path: Path, *options: str, name: str = "s.yaml") -> str:
    assert SOPS is not None
    file = tmp_path / name
    file.write_text(text)
    done = subprocess.run(
        [SOPS, "--disable-version-check", "--encrypt", "--age", recipient, *options, str(file)],
        capture_output=True, text=True, check=True, env={"HOME": str(tmp_path), "PATH": "/bin"},
    )  # fmt: skip
    return done.stdout


def rendered(text: str, name: str = "s.yaml") -> Rendered:
    file = File(name, hashlib.sha256(text.encode()).hexdigest(), text.encode())
    return render(Snapshot("r", {name: file}))


def told(found: Rendered) -> list[tuple[str, int]]:
    return [(f.rule, f.line) for f in found.findings if f.severity == "error"]


@needs_sops
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--encrypted-regex", "^(data|stringData)$"),
        ("--encrypted-regex", "^(data|stringData)$", "--mac-only-encrypted"),
        ("--unencrypted-regex", "^(apiVersion|kind|metadata)$"),
        ("--encrypted-suffix", "Data"),
        ("--unencrypted-suffix", "Version"),
    ],
)
def test_what_sops_encrypts_is_read(options: tuple[str, ...], key: Key, tmp_path: Path) -> None:
    text = sops(PLAIN, key.recipient, tmp_path, *options)
    found = decrypt(rendered(text), key.keys)
    assert [d.object for d in found.documents] == OBJECTS
    assert not found.findings


@needs_sops
def test_json_is_read(key: Key, tmp_path: Path) -> None:
    text = sops(json.dumps(OBJECTS[0]), key.recipient, tmp_path, name="s.json")
    assert decrypt(rendered(text, "s.json"), key.keys).documents[0].object == OBJECTS[0]


@needs_sops
def test_another_key_is_told_with_the_recipients(key: Key, tmp_path: Path) -> None:
    other = Key(tmp_path / "other")
    found = decrypt(rendered(sops(PLAIN, key.recipient, tmp_path)), other.keys)
    assert told(found)[0][0] == "sops/no-key"
    assert key.recipient in found.findings[0].message
    assert not found.documents


@needs_sops
def test_what_was_changed_afterwards_is_refused(key: Key, tmp_path: Path) -> None:
    text = sops(PLAIN, key.recipient, tmp_path, "--encrypted-regex", "^(data|stringData)$")
    lines = text.splitlines(keepends=True)
    password = next(n for n, line in enumerate(lines) if "password:" in line)
    multi = next(n for n, line in enumerate(lines) if "multi:" in line)
    swapped = list(lines)
    swapped[password] = "    password:" + lines[multi].partition("multi:")[2]
    assert told(decrypt(rendered("".join(swapped)), key.keys)) == [("sops/tampered", password + 1)]
    renamed = text.replace("name: db", "name: admin")
    assert [r for r, _ in told(decrypt(rendered(renamed), key.keys))] == ["sops/mac"]
    gone = "".join(line for line in lines if "multi:" not in line)
    assert [r for r, _ in told(decrypt(rendered(gone), key.keys))] == ["sops/mac"]
    added = text.replace("    password:", "    plain: in the clear\n    password:")
    assert told(decrypt(rendered(added), key.keys)) == [("sops/not-encrypted", password + 1)]
    without = text[: text.index("\n---\n") + 1]
    assert [r for r, _ in told(decrypt(rendered(without), key.keys))] == ["sops/mac"]


@needs_sops
def test_no_finding_and_no_position_shows_a_plaintext(key: Key, tmp_path: Path) -> None:
    text = sops(PLAIN, key.recipient, tmp_path).replace("type:int]", "type:bool]")
    found = decrypt(rendered(text), key.keys)
    assert told(found)
    assert "pässwörd" not in repr(found.findings)
    sound = decrypt(rendered(sops(PLAIN, key.recipient, tmp_path)), key.keys)
    assert "pässwörd" not in sound.documents[0].positions.text()


@needs_sops
def test_a_document_without_its_metadata_is_never_applied(key: Key, tmp_path: Path) -> None:
    text = sops(PLAIN, key.recipient, tmp_path, "--encrypted-regex", "^stringData$")
    text = text[: text.index("sops:\n")]
    found = decrypt(rendered(text), key.keys)
    line = text[: text.index("password:")].count("\n") + 1
    assert told(found) == [("sops/no-metadata", line)]
    assert not found.documents


@needs_sops
def test_other_key_kinds_and_patterns_that_could_search_for_ever_are_refused(
    key: Key, tmp_path: Path
) -> None:
    text = sops(PLAIN, key.recipient, tmp_path, "--encrypted-regex", "^(data|stringData)$")
    pgp = text.replace("    age:", "    pgp: [{fp: A}]\n    ages:")
    found = decrypt(rendered(pgp), key.keys)
    assert told(found)[0][0] == "sops/unsupported"
    assert "pgp" in found.findings[0].message
    slow = text.replace("^(data|stringData)$", "^(a+)+$")
    assert told(decrypt(rendered(slow), key.keys))[0][0] == "sops/unsupported"


@needs_sops
def test_a_config_map_is_decrypted_with_a_warning(key: Key, tmp_path: Path) -> None:
    text = sops(PLAIN.replace("kind: Secret", "kind: ConfigMap"), key.recipient, tmp_path)
    found = decrypt(rendered(text), key.keys)
    assert {(f.rule, f.severity) for f in found.findings} == {("sops/not-a-secret", "warning")}


@needs_sops
def test_without_a_key_a_lenient_reader_gets_empty_values(key: Key, tmp_path: Path) -> None:
    text = sops(PLAIN, key.recipient, tmp_path, "--encrypted-regex", "^(data|stringData)$")
    found = decrypt(rendered(text), NoIdentities(), lenient=True)
    assert found.documents[0].object["stringData"] == {"password": "", "empty": "", "multi": ""}
    assert {f.severity for f in found.findings} == {"warning"}


@needs_sops
def test_an_unchanged_file_stays_the_same_document(key: Key, tmp_path: Path) -> None:
    given, cache = rendered(sops(PLAIN, key.recipient, tmp_path)), DecryptCache()
    first, second = (decrypt(given, key.keys, cache) for _ in range(2))
    assert all(x is y for x, y in zip(first.documents, second.documents, strict=True))


def test_a_file_made_from_the_formats_description_is_read(key: Key) -> None:
    """The writing side, independent of sops' binary: AES-256-GCM bound to the path, SHA-512 of the values in order."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    data_key = bytes(range(32))

    def sealed(value: str, bound: str) -> str:
        iv = hashlib.sha256(bound.encode()).digest()
        out = AESGCM(data_key).encrypt(iv, value.encode(), bound.encode())
        parts = (base64.b64encode(p).decode() for p in (out[:-16], iv, out[-16:]))
        return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:str]".format(*parts)

    values = {"apiVersion": "v1", "kind": "Secret", "metadata:name": "x", "stringData:a": "hunter2"}
    mac = hashlib.sha512("".join(values.values()).encode()).hexdigest().upper()
    at = "2026-01-02T03:04:05Z"
    obj = {
        "apiVersion": sealed("v1", "apiVersion:"),
        "kind": sealed("Secret", "kind:"),
        "metadata": {"name": sealed("x", "metadata:name:")},
        "stringData": {"a": sealed("hunter2", "stringData:a:")},
        "sops": {
            "age": [{"recipient": key.recipient, "enc": _armored(pyrage.encrypt(data_key, [key.public]))}],
            "lastmodified": at, "mac": sealed(mac, at), "version": "3.9.0",
        },
    }  # fmt: skip
    found = decrypt(rendered(json.dumps(obj), "s.json"), key.keys)
    assert found.documents[0].object["stringData"] == {"a": "hunter2"}
    obj["sops"]["lastmodified"] = "2026-01-02T03:04:06Z"  # type: ignore[index]
    assert decrypt(rendered(json.dumps(obj), "s.json"), key.keys).findings[0].rule == "sops/tampered"  # fmt: skip


def _armored(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = [text[n : n + 64] for n in range(0, len(text), 64)]
    begin, end = (f"-----{w} AGE ENCRYPTED FILE-----" for w in ("BEGIN", "END"))
    return "\n".join([begin, *lines, end]) + "\n"
