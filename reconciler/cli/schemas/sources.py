"""What schemas are made of: OpenAPI documents and CustomResourceDefinitions in a file, a directory, or behind a URL."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A document is not read beyond this size, in bytes: Kubernetes' whole OpenAPI has 4 MB.
LARGEST = 64 * 1024 * 1024
_SECONDS = 30.0
_WEB = ("http://", "https://")


class Found(NamedTuple):
    """One document, and the file that it stands in; or why a file of a directory cannot be read."""

    file: str
    value: Any
    problem: str = ""


def documents_of(source: str) -> Iterator[Found]:
    """Yield every document of a source; ``-`` is standard input. Only a source that is a URL is asked for over the network.

    Raises ``SourceError`` for what cannot be read.
    """
    if source.startswith(_WEB):
        yield from _parsed(source, _fetched(source))
    elif source == "-":
        yield from _parsed(source, _limited(source, sys.stdin.buffer.read(LARGEST + 1)))
    elif Path(source).is_dir():
        yield from _below(Path(source))
    else:
        try:
            with Path(source).open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise SourceError(f"{source}: {error.strerror or error}") from error
        yield from _parsed(source, _limited(source, data))


def _below(directory: Path) -> Iterator[Found]:
    """Yield the documents of a directory's files, read as a sync would read them: no link leads out of it.

    One that cannot be read is told of, and holds up no other.
    """
    from reconciler.gitops.source.scan import Scanner

    snapshot = Scanner(directory).scan()
    for problem in snapshot.problems:
        yield Found(problem.path, None, f"{directory}/{problem.path}: {problem.message}")
    for path, file in sorted(snapshot.files.items()):
        if path.endswith((".json", ".yaml", ".yml")):
            try:
                yield from _parsed(f"{directory}/{path}", file.data)
            except SourceError as error:
                yield Found(path, None, str(error))


def _parsed(name: str, data: bytes) -> Iterator[Found]:
    """Yield a file's documents, and the items of its Lists."""
    # OpenAPI has megabytes and is JSON: a reader that keeps the place of every key would take a minute.
    if data[:1] == b"{":
        try:
            yield from _items(name, json.loads(data))
        except RecursionError as error:
            raise SourceError(f"{name}: values lie too deep") from error
        except ValueError as error:
            if name.endswith(".json"):
                raise SourceError(f"{name}: this is no JSON: {error}") from error
        else:
            return
    from reconciler.gitops.render.reader import read

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name}: this is no UTF-8: {error.reason} at byte {error.start}") from error  # fmt: skip
    documents, findings = read(text, name)
    for finding in findings:
        if finding.severity == "error":
            where = f"{name}:{finding.line}:{finding.column}"
            raise SourceError(f"{where}: {finding.message}")
    for document in documents:
        yield from _items(name, document.value)


def _items(name: str, value: Any) -> Iterator[Found]:
    if isinstance(value, dict) and str(value.get("kind")).endswith("List"):
        items = value.get("items")
        yield from (Found(name, item) for item in (items if isinstance(items, list) else ()))
    else:
        yield Found(name, value)


def _limited(name: str, data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise SourceError(f"{name}: larger than {LARGEST // 1024 // 1024} MiB")
    return data


def _fetched(url: str) -> bytes:
    """Return what a URL holds. It, and where it redirects to, are http or https and nothing else."""
    import urllib.error
    import urllib.request

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPRedirectHandler, urllib.request.UnknownHandler,
    ):  # fmt: skip
        opener.add_handler(handler())
    try:
        with opener.open(url, timeout=_SECONDS) as response:
            return _limited(url, response.read(LARGEST + 1))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise SourceError(f"{url}: {reason}") from error
