"""What an image's name means on a host that has no images."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ImageMapping(NamedTuple):
    """The program that stands for images whose name matches a pattern (``nginx:*``)."""

    pattern: str
    command: tuple[str, ...]
    env: Mapping[str, str] = {}
    working_dir: str = ""


def find(images: Sequence[ImageMapping], image: str) -> ImageMapping | None:
    """Return the first mapping for an image."""
    return next((m for m in images if fnmatchcase(image, m.pattern)), None)


def required(images: Sequence[ImageMapping], image: str) -> ImageMapping:
    """Return the mapping for an image; raises ``RuntimeFailure`` that says which lines to add."""
    if (mapping := find(images, image)) is not None:
        return mapping
    raise RuntimeFailure(
        f"the process runtime has no program for image {image!r}: give the container a command, "
        "or add to reconciler.yaml (or the images alone to an Application's spec):\n"
        f'runtime: {{process: {{images: [{{image: "{image}", command: [PROGRAM, ARGUMENT]}}]}}}}',
        reason="ErrImageNeverPull",
    )
