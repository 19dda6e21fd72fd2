"""What an image means on this host: the operator's word first, then the Applications'."""

from __future__ import annotations

from typing import Any

from reconciler.config.runtime import Image
from reconciler.daemon.images import mappings
from reconciler.runtime.process.images import find


def test_the_operator_comes_before_applications_and_those_by_name() -> None:
    def application(name: str, command: str) -> dict[str, Any]:
        images = [{"image": "nginx:*", "command": [command]}, {"image": name, "command": [name]}]
        return {"metadata": {"name": name}, "spec": {"images": images}}

    applications = [
        application("zeta", "z"),
        application("alpha", "a"),
        {"metadata": {"name": "m"}},
    ]
    found = mappings([], applications)
    mapping = find(found, "nginx:1")
    assert mapping is not None
    assert mapping.command == ("a",)
    assert find(found, "zeta") is not None
    found = mappings([Image("nginx:*", ("operator",))], applications)
    mapping = find(found, "nginx:1")
    assert mapping is not None
    assert mapping.command == ("operator",)
