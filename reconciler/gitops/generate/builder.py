"""The steps from a snapshot to documents, in order, each keeping what it made."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import RenderError
from reconciler.gitops.generate.tools import Helm, Kustomize, Tool, tool_of
from reconciler.gitops.generate.values import Values, values_of
from reconciler.gitops.render import RenderCache, Rendered, render
from reconciler.gitops.render.sops import PREFIX, DecryptCache, NoIdentities, decrypt
from reconciler.gitops.render.substitute import SubstituteCache, Variables, substitute
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.source.selection import is_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render.sops import Identities


class Built(NamedTuple):
    """The documents; ``suffix`` tells revisions apart that differ in what was given beside the source."""

    rendered: Rendered
    suffix: str = ""


class _Made(NamedTuple):
    key: str
    snapshot: Snapshot
    findings: tuple[Finding, ...]


class _Last(NamedTuple):
    snapshot: Snapshot
    made: _Made | None
    given: str
    built: Built


class Builder:
    """Builds one source again and again. ``scratch`` is where tools get their private copy of it.

    ``lenient``: what no key opens is a warning and its values are left empty, as somebody needs who checks
    manifests where no key may be.
    """

    def __init__(
        self,
        *,
        identities: Identities | None = None,
        scratch: Path | None = None,
        which: Callable[[str], str | None] = shutil.which,
        lenient: bool = False,
        cache: RenderCache | None = None,
    ) -> None:
        self._identities = identities or NoIdentities()
        self._scratch = scratch
        self._which = which
        self._lenient = lenient
        self._render = cache if cache is not None else RenderCache()
        self._decrypt = DecryptCache()
        self._substitute = SubstituteCache()
        self._made: _Made | None = None
        self._last: _Last | None = None

    async def build(
        self,
        snapshot: Snapshot,
        source: Mapping[str, Any],
        *,
        name: str,
        namespace: str,
        variables: Variables | None = None,
    ) -> Built:
        """Return a snapshot's documents as an Application's ``spec.source`` asks for them.

        The same input gives the very same answer. What is wrong with files are findings of it; raises ``RenderError``
        for what is wrong with the source's own fields, with keys, or with a tool.
        """
        tool = tool_of(source, snapshot.files, name=name, namespace=namespace)
        made = None if tool is None else await self._run(tool, snapshot)
        return self._finish(snapshot, source, tool, made, variables)

    def build_now(
        self,
        snapshot: Snapshot,
        source: Mapping[str, Any],
        *,
        name: str,
        namespace: str,
        variables: Variables | None = None,
    ) -> Built:
        """Do the same outside of an event loop; without a tool none is made."""
        tool = tool_of(source, snapshot.files, name=name, namespace=namespace)
        made = None
        if tool is not None:
            import asyncio

            made = asyncio.run(self._run(tool, snapshot))
        return self._finish(snapshot, source, tool, made, variables)

    def _finish(
        self,
        snapshot: Snapshot,
        source: Mapping[str, Any],
        tool: Tool | None,
        made: _Made | None,
        variables: Variables | None,
    ) -> Built:
        values = values_of(source, snapshot.files)
        parts = [values.data, values.findings, tool, variables.digest if variables else ""]
        last = self._last
        if last is not None and last.built.rendered.encrypted:
            parts.append(self._identities.digest)
        given = _digest(parts)
        if last is not None and (
            last.snapshot is snapshot and last.made is made and last.given == given
        ):
            return last.built
        if made is None:
            rendered = render(
                snapshot, values=values.data, cache=self._render, passed_over=values.files
            )
        else:
            rendered = render(made.snapshot, cache=self._render, templates=False)
            rendered = rendered._replace(findings=(*rendered.findings, *made.findings))
        if values.findings:
            rendered = rendered._replace(findings=(*rendered.findings, *values.findings))
        if rendered.encrypted:
            if last is None or not last.built.rendered.encrypted:
                given = _digest([*parts, self._identities.digest])
            if made is not None:
                rendered = self._verified(rendered, snapshot)
            rendered = decrypt(
                rendered, self._identities, self._decrypt, lenient=self._lenient, mac=made is None
            )
        if variables is not None:
            rendered = substitute(rendered, variables, self._substitute)
        built = Built(rendered, _suffix(values, source, tool, variables))
        self._last = _Last(snapshot, made, given, built)
        return built

    def _verified(self, rendered: Rendered, snapshot: Snapshot) -> Rendered:
        """Verify the encrypted files that a tool has read: their MAC is over what they said before it."""
        sealed = {
            p: f
            for p, f in snapshot.files.items()
            if PREFIX.encode() in f.data and is_manifest(p.rpartition("/")[2])
        }
        found = render(snapshot._replace(files=sealed), templates=False)
        told = decrypt(found, self._identities, lenient=self._lenient).findings
        errors = [f for f in told if f.severity == "error" and f.rule.startswith("sops/")]
        return rendered._replace(findings=(*rendered.findings, *errors))

    async def _run(self, tool: Tool, snapshot: Snapshot) -> _Made:
        lines = [f"{path}\0{file.digest}" for path, file in snapshot.files.items()]
        key = _digest([tool, lines])
        if self._made is not None and self._made.key == key:
            return self._made
        texts, findings = await self._tool(tool, snapshot)
        files = {p: File(p, hashlib.sha256(d).hexdigest(), d) for p, d in texts.items()}
        made = _Made(key, snapshot._replace(files=files), tuple(findings))
        if not findings:
            # A failure may be the machine's: it is tried again.
            self._made = made
        return made

    async def _tool(self, tool: Tool, snapshot: Snapshot) -> tuple[dict[str, bytes], list[Finding]]:
        from reconciler.gitops.generate import helm, kustomize
        from reconciler.gitops.generate.workspace import workspace

        if isinstance(tool, Kustomize):
            argv = kustomize.command(self._which)
            if argv is None:
                return {}, [_at(kustomize.NOT_INSTALLED, tool, "kustomization.yaml")]
            with workspace(snapshot.files.values(), self._scratch) as home:
                return await kustomize.build(tool, snapshot.files, argv, home)
        found = self._which("helm")
        if found is None:
            return {}, [_at(helm.NOT_INSTALLED, tool, "Chart.yaml")]
        within = [f for p, f in snapshot.files.items() if not p.startswith("../")]
        with workspace(within, self._scratch) as home:
            return await helm.build(tool, found, home)


def _at(finding: Finding, tool: Kustomize | Helm, file: str) -> Finding:
    return finding._replace(file=f"{tool.path}/{file}" if tool.path else file)


def _suffix(
    values: Values, source: Mapping[str, Any], tool: Tool | None, variables: Variables | None
) -> str:
    """Return what a revision is told apart by: a digest of what does not come from the source's files."""
    given: list[Any] = []
    if values.data:
        given.append(values.data)
    if isinstance(tool, Helm) and source.get("helm"):
        given.append(source["helm"])
    if variables is not None:
        given.append(variables.digest)
    return f"+{_digest(given)[:8]}" if given else ""


def _digest(value: Any) -> str:
    try:
        text = json.dumps(value, sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise RenderError(f"spec.source holds a value that is no JSON: {error}") from error
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
