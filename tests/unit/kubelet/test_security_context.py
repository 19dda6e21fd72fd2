"""Which user, groups and rights of a Pod's and a container's securityContext count."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import RuntimeFailure
from reconciler.kubelet import security


def effective(whole: dict[str, Any], own: dict[str, Any], default_user: int = 0) -> Any:
    pod = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-1"},
        "spec": {"securityContext": whole},
    }
    return security.of(pod, {"name": "main", "securityContext": own}, default_user)


def test_a_containers_own_fields_win_over_its_pods() -> None:
    whole = {
        "runAsUser": 1,
        "runAsGroup": 2,
        "supplementalGroups": [3],
        "fsGroup": 4,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    found = effective(whole, {"runAsUser": 5})
    assert (found.run_as_user, found.run_as_group, found.supplemental_groups) == (5, 2, (3, 4))
    assert found.seccomp == "RuntimeDefault"
    assert effective(whole, {"seccompProfile": {"type": "Unconfined"}}).seccomp == "Unconfined"


@pytest.mark.parametrize(
    ("whole", "own", "message"),
    [
        ({"runAsNonRoot": True}, {}, "container has runAsNonRoot and image will run as root"),
        ({"runAsUser": 0}, {"runAsNonRoot": True}, "container's runAsUser breaks non-root policy"),
    ],
)
def test_who_must_not_be_root_is_not_started_as_root(
    whole: dict[str, Any], own: dict[str, Any], message: str
) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        effective(whole, own)
    assert str(caught.value) == f'{message} (pod: "web_shop(u-1)", container: main)'
    assert caught.value.reason == "CreateContainerConfigError"


def test_who_must_not_be_root_is_started_as_the_ordinary_user_that_there_is() -> None:
    assert effective({"runAsNonRoot": True}, {}, default_user=1000).run_as_user == 1000
    assert effective({"runAsNonRoot": True}, {"runAsNonRoot": False}).run_as_user is None
