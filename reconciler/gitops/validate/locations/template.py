"""Where the schema of a kind lies, by a template in kubeconform's words. Pure.

``{{.NormalizedKubernetesVersion}}`` is ``v1.29.0`` or ``master``, ``{{.StrictSuffix}}`` ``-strict``, ``{{.ResourceKind}}``
``deployment``, ``{{.ResourceAPIVersion}}`` ``v1``, ``{{.Group}}`` ``apps`` (of the core group its version, as kubeconform
has it), ``{{.KindSuffix}}`` ``-apps-v1``.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import GroupVersionKind

_WORD = re.compile(r"\{\{-?\s*\.?([^{}]*?)\s*-?\}\}")
#: What a manifest may put into a path: no separator, nothing that starts with a dot.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*\Z")
_WORDS = (
    "NormalizedKubernetesVersion", "StrictSuffix", "ResourceKind", "ResourceAPIVersion", "Group", "KindSuffix",
)  # fmt: skip
_FILE = "{{.ResourceKind}}{{.KindSuffix}}.json"
#: How kubernetes-json-schema lays out its versions.
_LAYOUT = "{{.NormalizedKubernetesVersion}}-standalone{{.StrictSuffix}}/" + _FILE


class Place(NamedTuple):
    """One location: ``text`` as given, ``templates`` of paths or addresses in the order in which they are tried."""

    text: str
    templates: tuple[str, ...]

    def names(self, gvk: GroupVersionKind, kubernetes: str) -> Iterator[str]:
        """Yield where a kind's schema may lie; ``kubernetes`` as given: ``1.29``, ``v1.29.3``, empty for the newest."""
        group, version, kind = gvk.group, gvk.version, gvk.kind
        if not all(_SAFE.match(w) for w in (kind, version, *([group] if group else []))):
            return
        short = f"-{group.partition('.')[0].lower()}" if group else ""
        values = {
            "NormalizedKubernetesVersion": _normalized(kubernetes),
            "StrictSuffix": "-strict",
            "ResourceKind": kind.lower(),
            "ResourceAPIVersion": version,
            "Group": group or version,
            "KindSuffix": f"{short}-{version.lower()}",
        }
        for template in self.templates:
            yield _WORD.sub(lambda found: values[found[1]], template)

    @property
    def root(self) -> str:
        """The directory that everything lies in which the templates may name."""
        fixed = self.text.partition("{{")[0]
        if fixed == self.text and not self.text.endswith(".json"):
            return fixed or "."
        return fixed.rpartition("/")[0] or ("/" if fixed.startswith("/") else ".")


def place_of(text: str) -> Place:
    """Read one location. Raises ``BadRequest`` for a word that there is not, with the nearest one."""
    base = text.rstrip("/")
    if text.endswith(".json"):
        templates: tuple[str, ...] = (text,)
    elif is_remote(text):
        templates = (f"{base}/{_LAYOUT}",)
    else:
        templates = (f"{base}/{_LAYOUT}", f"{base}/{_FILE}")
    for word in _WORD.findall(text):
        if word not in _WORDS:
            near = difflib.get_close_matches(word, _WORDS, 1, 0.6)
            hint = (
                f'did you mean "{{{{.{near[0]}}}}}"?' if near else f"there are {', '.join(_WORDS)}"
            )
            raise BadRequest(f'schema location {text}: there is no word "{word}", {hint}')
    if "{{" in _WORD.sub("", text):
        raise BadRequest(f"schema location {text}: a {{{{ is not closed")
    return Place(text, templates)


def is_remote(text: str) -> bool:
    """Whether a location is an address of the network."""
    return text.startswith(("http://", "https://"))


def _normalized(kubernetes: str) -> str:
    if kubernetes in ("", "master", "latest"):
        return "master"
    number = kubernetes.removeprefix("v")
    return f"v{number}.0" if number.count(".") == 1 else f"v{number}"
