"""A host for each recipe, and one visitor for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import DebianHost, Lab
from tests.lab.fixtures import Boot
from tests.lab.lab import require_hosts
from tests.support import recipe_image
from tests.support.recipe_host import STRANGER, RecipeHost


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One whose hosts have what the recipes run."""
    require_hosts()
    lab = Lab(recipe_image.layers())
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def visitor(module_hosts: Boot) -> DebianHost:
    """A host with an address that the recipes let in, and one that they trust."""
    host = module_hosts("visitor")
    host.run("ip", "address", "add", f"{STRANGER}/32", "dev", "host0")
    return host


@pytest.fixture
def site(
    request: pytest.FixtureRequest, debian_host: DebianHost, visitor: DebianHost
) -> RecipeHost:
    """The recipe of that title, its files in place and nothing applied yet."""
    found = RecipeHost(request.param, debian_host, visitor)
    found.lay()
    return found
