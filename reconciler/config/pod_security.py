"""``podSecurity``: what Pods may ask for in namespaces that say nothing of it."""

from __future__ import annotations

import msgspec


class PodSecurity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """``enforce`` is a level of the Pod Security Standards: ``privileged``, ``baseline`` or ``restricted``."""

    enforce: str = "privileged"
