"""Pod templates of Deployments: equality, hashes and the names that come of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.clock import SUFFIX_ALPHABET

if TYPE_CHECKING:
    from reconciler.api.objects import Object

HASH_LABEL = "pod-template-hash"


def template_hash(template: Object, collisions: int) -> str:
    """Hash a template: 32-bit FNV-1a of its canonical JSON, in the safe alphabet (DP07)."""
    data = json.dumps(template, sort_keys=True, separators=(",", ":")).encode()
    if collisions:
        data += str(collisions).encode()
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(SUFFIX_ALPHABET[ord(digit) % len(SUFFIX_ALPHABET)] for digit in str(value))


def same_template(one: Object, other: Object) -> bool:
    """Whether two templates are equal but for the hash label (DP09)."""
    return _bare(one) == _bare(other)


def _bare(template: Object) -> tuple[Any, ...]:
    about = template.get("metadata") or {}
    labels = {k: v for k, v in (about.get("labels") or {}).items() if k != HASH_LABEL}
    return labels, about.get("annotations") or {}, template.get("spec")


def labelled(template: Object, digest: str) -> Object:
    """Return the template with the hash label."""
    about = template.get("metadata") or {}
    labels = {**(about.get("labels") or {}), HASH_LABEL: digest}
    return {**template, "metadata": {**about, "labels": labels}}
