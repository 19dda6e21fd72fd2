"""A source on disk and what it builds to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.gitops.generate import Builder
from reconciler.gitops.source.scan import Scanner

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.gitops.generate.builder import Built
    from reconciler.gitops.render.substitute import Variables
    from reconciler.gitops.source import Snapshot


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below a root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


class Source:
    """Builds a directory again and again, as an Application would."""

    def __init__(self, root: Path, scratch: Path, **options: Any) -> None:
        self._scanner = Scanner(root)
        self.scratch = scratch
        self.builder = Builder(scratch=scratch, **options)

    def snapshot(self) -> Snapshot:
        return self._scanner.scan()

    async def build(
        self, source: dict[str, Any] | None = None, variables: Variables | None = None
    ) -> Built:
        return await self.builder.build(
            self._scanner.scan(), source or {}, name="web", namespace="shop", variables=variables
        )

    async def objects(self, source: dict[str, Any] | None = None) -> list[Any]:
        """Return the objects, where nothing is wrong."""
        built = await self.build(source)
        assert not built.rendered.findings
        return [d.object for d in built.rendered.documents]

    async def told(self, source: dict[str, Any] | None = None) -> list[tuple[str, str, int]]:
        """Return rule, file and line of what is wrong."""
        built = await self.build(source)
        return [(f.rule, f.file, f.line) for f in built.rendered.findings]
