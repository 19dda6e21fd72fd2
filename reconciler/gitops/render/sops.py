"""Documents that SOPS encrypted with age: their values decrypted in memory, their MAC verified. Pure.

The format is that of sops 3: each leaf is ``ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]``, bound to its path by the additional
data; ``sops.mac`` is the SHA-512 of all leaves in order, encrypted and bound to ``sops.lastmodified``. One MAC covers
every document of a file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render.document import Document, Rendered

Path = tuple[str | int, ...]

_ENCRYPTED = re.compile(r"ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:([a-z0-9]+)\]")
#: What an encrypted value begins with.
PREFIX = "ENC[AES256_GCM,"
#: Sets a MAC over encrypted values alone apart from one over all of them: SHA-256 of "sops".
_MAC_ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()
_LONGEST_PATTERN = 256
_MOST_REPEATS = 3


class Identities(Protocol):
    """The private keys that may open a file's data key."""

    @property
    def digest(self) -> str:
        """Which keys these are, so that what they opened is opened once."""
        ...

    def unwrap(self, armored: str) -> bytes | None:
        """Return the data key, or None when none of the keys opens it."""
        ...


class NoIdentities:
    """No key is there."""

    digest = ""

    def unwrap(self, armored: str) -> bytes | None:
        del armored
        return None


class _Refused(Exception):
    def __init__(self, rule: str, message: str, path: Path = (), hint: str = "") -> None:
        super().__init__(message)
        self.rule = rule
        self.path = path
        self.hint = hint


class DecryptCache:
    """What documents decrypted to: an unchanged one is decrypted once and stays the very same document."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, ...], tuple[tuple[Document, ...], str, _Outcome]] = {}
        self._next: dict[tuple[int, ...], tuple[tuple[Document, ...], str, _Outcome]] = {}

    def outcome(
        self, group: tuple[Document, ...], digest: str, make: Callable[[], _Outcome]
    ) -> _Outcome:
        key = tuple(map(id, group))
        kept = self._kept.get(key)
        found = kept[2] if kept is not None and kept[1] == digest else make()
        self._next[key] = (group, digest, found)
        return found

    def turn(self) -> None:
        """Forget what was not asked for since the last turn."""
        self._kept, self._next = self._next, {}


class _Outcome(NamedTuple):
    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]


def decrypt(
    rendered: Rendered,
    identities: Identities,
    cache: DecryptCache | None = None,
    *,
    lenient: bool = False,
    mac: bool = True,
) -> Rendered:
    """Return the documents with every encrypted one decrypted; what cannot be opened is left out and told.

    A document that holds an encrypted value and no ``sops`` metadata is an error: ciphertext is never applied.
    ``lenient``: where no key is at all, that is a warning and the values are empty. ``mac``: verify it; what a tool has
    built out of encrypted files has other names than they, and its values are still bound to their paths.
    """
    if not rendered.encrypted:
        return rendered
    groups = _encrypted(d for d in rendered.documents if d.origin.file in rendered.encrypted)
    cache = cache if cache is not None else DecryptCache()
    replaced: dict[int, Document | None] = {}
    findings = list(rendered.findings)
    for group in groups:
        if lenient and not identities.digest:
            outcome = _closed(group)
        else:
            outcome = cache.outcome(
                group, identities.digest, lambda g=group: _opened(g, identities, mac=mac)  # type: ignore[misc]
            )  # fmt: skip
        findings += outcome.findings
        opened: Sequence[Document | None] = outcome.documents or [None] * len(group)
        replaced.update({id(old): new for old, new in zip(group, opened, strict=True)})
    cache.turn()
    documents = [replaced.get(id(d), d) for d in rendered.documents]
    return _without_stray(
        rendered._replace(
            documents=tuple(d for d in documents if d is not None), findings=tuple(findings)
        )
    )


def _encrypted(documents: Iterable[Document]) -> list[tuple[Document, ...]]:
    """Return the encrypted documents, those of one file and one MAC together."""
    groups: dict[tuple[str, str], list[Document]] = {}
    for document in documents:
        metadata = document.object.get("sops")
        if isinstance(metadata, dict):
            key = (document.origin.file, str(metadata.get("mac")))
            groups.setdefault(key, []).append(document)
    return [tuple(group) for group in groups.values()]


def _opened(group: tuple[Document, ...], identities: Identities, *, mac: bool) -> _Outcome:
    try:
        metadata = _Metadata(group[0].object["sops"])
        key = metadata.data_key(identities)
    except _Refused as refused:
        return _Outcome((), (_told(group[0], refused),))
    digest = hashlib.sha512(_MAC_ONLY_ENCRYPTED if metadata.mac_only_encrypted else b"")
    opened: list[Document] = []
    findings: list[Finding] = []
    for document in group:
        plain = {k: v for k, v in document.object.items() if k != "sops"}
        try:
            opened.append(document.holding(_walk(plain, (), metadata, key, digest.update)))
        except _Refused as refused:
            return _Outcome((), (_told(document, refused),))
        if opened[-1].object.get("kind") != "Secret":
            told = "only a Secret's values are masked in plans and diffs: these will show there"
            findings.append(document.finding("sops/not-a-secret", "warning", told))
    try:
        if mac:
            metadata.verify(digest.hexdigest().upper(), key)
    except _Refused as refused:
        return _Outcome((), (_told(group[0], refused),))
    return _Outcome(tuple(opened), tuple(findings))


def _closed(group: tuple[Document, ...]) -> _Outcome:
    """Return documents with empty values, for whoever checks manifests without a key."""
    told = "encrypted, and no key is here: its values are not checked"
    found = tuple(d.finding("sops/not-decrypted", "warning", told, ("sops",)) for d in group)
    plain = ({k: v for k, v in d.object.items() if k != "sops"} for d in group)
    return _Outcome(tuple(d.holding(_emptied(o)) for d, o in zip(group, plain, strict=True)), found)


def _emptied(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _emptied(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_emptied(v) for v in value]
    return "" if isinstance(value, str) and value.startswith(PREFIX) else value


def _told(document: Document, refused: _Refused) -> Finding:
    return document.finding(refused.rule, "error", str(refused), refused.path, refused.hint)


class _Metadata:
    """The ``sops`` mapping of a document."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.mac_only_encrypted = given.get("mac_only_encrypted") is True
        self._rule = _rule(given)

    def data_key(self, identities: Identities) -> bytes:
        if self._given.get("key_groups") or self._given.get("shamir_threshold"):
            told = "key groups (Shamir secret sharing) are not supported"
            raise _Refused("sops/unsupported", told, ("sops", "key_groups"))
        given = self._given.get("age")
        entries = [e for e in given if isinstance(e, dict)] if isinstance(given, list) else []
        if not entries:
            others = [k for k in ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault") if self._given.get(k)]  # fmt: skip
            told = "no age recipient: only age keys are supported" + (
                f", the file is encrypted for {', '.join(others)}" if others else ""
            )
            raise _Refused("sops/unsupported", told, ("sops",))
        for entry in entries:
            key = identities.unwrap(str(entry.get("enc") or ""))
            if key is not None:
                if len(key) != 32:
                    raise _Refused("sops/malformed", "the data key is not of 32 bytes", ("sops", "age"))  # fmt: skip
                return key
        names = ", ".join(str(e.get("recipient")) for e in entries)
        told = f"no key here opens it; it is encrypted for {names}"
        hint = "put an age identity of one of them into STATE_DIR/keys/ (0600) or name its file in $SOPS_AGE_KEY_FILE"
        raise _Refused("sops/no-key", told, ("sops", "age"), hint)

    def is_encrypted(self, path: Path) -> bool:
        return self._rule([str(p) for p in path if isinstance(p, str)])

    def verify(self, computed: str, key: bytes) -> None:
        at: Path = ("sops", "mac")
        mac = self._given.get("mac")
        if not isinstance(mac, str) or not mac:
            raise _Refused("sops/mac", "there is no MAC: the file may have been changed", ("sops",))
        expected = _value(mac, key, _instant(self._given.get("lastmodified")), at)
        if not hmac.compare_digest(str(expected).encode(), computed.encode()):
            told = "the MAC does not match: a value was changed, added, moved or taken away after it was encrypted"
            raise _Refused("sops/mac", told, at, "edit the file with sops")


def _instant(given: Any) -> str:
    """Return ``lastmodified`` as sops binds the MAC to it."""
    text = str(given)
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%SZ") if text.endswith("Z") else text  # fmt: skip
    except ValueError:
        return text


def _rule(given: Mapping[str, Any]) -> Callable[[list[str]], bool]:
    """Return which paths are encrypted; at most one of the four rules stands in a file."""
    for name in ("encrypted_comment_regex", "unencrypted_comment_regex"):
        if given.get(name):
            raise _Refused("sops/unsupported", f"{name} is not supported", ("sops", name))
    suffix = given.get("encrypted_suffix")
    if suffix:
        return lambda path: any(p.endswith(str(suffix)) for p in path)
    for name in ("encrypted_regex", "unencrypted_regex"):
        if given.get(name):
            search = _pattern(str(given[name]), ("sops", name)).search
            wanted = name == "encrypted_regex"
            return lambda path: any(search(p) for p in path) is wanted
    without = given.get("unencrypted_suffix")
    if without:
        return lambda path: not any(p.endswith(str(without)) for p in path)
    return lambda _: True


def _pattern(text: str, path: Path) -> re.Pattern[str]:
    """Compile a stranger's pattern: none that could search for ever."""
    repeats = len(re.findall(r"(?<!\\)[*+{]", text))
    if len(text) > _LONGEST_PATTERN or repeats > _MOST_REPEATS or re.search(r"\)[*+{?]|\\\d", text):
        raise _Refused("sops/unsupported", "the pattern is too complex", path)
    try:
        return re.compile(text)
    except re.error as error:
        raise _Refused("sops/malformed", f"no regular expression: {error}", path) from error


def _walk(
    value: Any, path: Path, metadata: _Metadata, key: bytes, hashed: Callable[[bytes], None]
) -> Any:
    if isinstance(value, dict):
        return {k: _walk(v, (*path, k), metadata, key, hashed) for k, v in value.items()}
    if isinstance(value, list):
        return [_walk(v, (*path, n), metadata, key, hashed) for n, v in enumerate(value)]
    if value is None:
        return None
    encrypted = metadata.is_encrypted(path)
    if encrypted:
        bound = "".join(f"{p}:" for p in path if isinstance(p, str))
        value = _value(value, key, bound, path)
    if encrypted or not metadata.mac_only_encrypted:
        hashed(_bytes(value))
    return value


def _value(text: Any, key: bytes, bound: str, path: Path) -> Any:
    """Decrypt one value. Raises ``_Refused``; what it says holds nothing of the value."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if text == "":
        return ""
    found = _ENCRYPTED.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        told = "expected an encrypted value: it was written in the clear, or not by sops"
        raise _Refused("sops/not-encrypted", told, path, "edit the file with sops")
    try:
        data, nonce, tag = (base64.b64decode(found[n], validate=True) for n in (1, 2, 3))
        plain = AESGCM(key).decrypt(nonce, data + tag, bound.encode()).decode()
    except InvalidTag:
        told = "the value does not belong here: it was changed or moved after it was encrypted"
        raise _Refused("sops/tampered", told, path, "edit the file with sops") from None
    except (binascii.Error, ValueError):
        raise _Refused("sops/malformed", "malformed encrypted value", path) from None
    try:
        return _typed(plain, found[4])
    except (ValueError, KeyError):
        told = f"the value is not of the type {found[4]} that is declared"
        raise _Refused("sops/malformed", told, path) from None


def _typed(plain: str, kind: str) -> Any:
    if kind in ("str", "bytes"):
        return plain
    if kind in ("int", "int64"):
        return int(plain)
    if kind == "float":
        return float(plain)
    if kind == "bool":
        return {"true": True, "false": False}[plain.lower()]
    raise KeyError(kind)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"True" if value else b"False"
    if isinstance(value, float):
        return format(value, "f").rstrip("0").rstrip(".").encode()
    return str(value).encode("utf-8", "surrogatepass")


def _without_stray(rendered: Rendered) -> Rendered:
    """Leave out what still holds an encrypted value: metadata that is missing would let ciphertext be applied."""
    kept, findings = [], []
    for document in rendered.documents:
        path = _stray(document.object) if document.origin.file in rendered.encrypted else None
        if path is None:
            kept.append(document)
            continue
        told = "an encrypted value in a document without sops metadata"
        findings.append(document.finding("sops/no-metadata", "error", told, path))
    if not findings:
        return rendered
    return rendered._replace(documents=tuple(kept), findings=(*rendered.findings, *findings))


def _stray(value: Any, path: Path = ()) -> Path | None:
    if isinstance(value, str):
        return path if value.startswith(PREFIX) and _ENCRYPTED.fullmatch(value) else None
    inside: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for name, one in inside:
        found = _stray(one, (*path, name))
        if found is not None:
            return found
    return None
