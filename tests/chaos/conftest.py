"""A site under chaos that the tests of a module share: each leaves it as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        site.up(wait=True)
        yield site


@pytest.fixture
def site(shared: Site) -> Site:
    """Return the module's site, with all that it runs as its manifests ask."""
    shared.until_converged()
    return shared
