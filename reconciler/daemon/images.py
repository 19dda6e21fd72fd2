"""What images mean on this host: as reconciler.yaml says, then as the Applications do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.runtime.process import ImageMapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object
    from reconciler.config.runtime import Image


def mappings(configured: Iterable[Image], applications: Iterable[Object]) -> list[ImageMapping]:
    """Return the mappings in the order they are tried: the operator's, then the Applications' by name."""
    found = [ImageMapping(i.image, i.command, i.env, i.working_dir) for i in configured]
    for app in sorted(applications, key=lambda app: str(app["metadata"]["name"])):
        found += [
            ImageMapping(
                one["image"], tuple(one["command"]), one.get("env") or {},
                one.get("workingDir") or "",
            )
            for one in (app.get("spec") or {}).get("images") or ()
        ]  # fmt: skip
    return found
