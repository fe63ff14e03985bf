"""The package and the one file of each Debian: equal bytes each time, and no error of lintian."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.cache import cache_folder
from tests.lab.images import bare_debian, layer_with
from tests.packaging.artefacts import SUITES, Artefacts

pytestmark = [pytest.mark.nightly, pytest.mark.host]

LINTIAN = """
apt-get --quiet update
DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet install --no-install-recommends lintian
lintian --fail-on error --allow-root /mnt/deb/*.deb
"""


@pytest.fixture(scope="module", params=SUITES)
def built(request: pytest.FixtureRequest) -> Iterator[Artefacts]:
    """What build-deb and build-file made."""
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        made = Artefacts(Path(folder), request.param)
        made.build_programs()
        yield made


def test_another_build_elsewhere_has_the_same_bytes(built: Artefacts) -> None:
    before = os.umask(0o077)
    try:
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            again = Artefacts(Path(folder), built.suite)
            again.build_programs()

            assert built.deb.name == again.deb.name
            assert built.deb.read_bytes() == again.deb.read_bytes()
            assert built.archive.read_bytes() == again.archive.read_bytes()
    finally:
        os.umask(before)


def test_lintian_of_its_release_finds_no_error(built: Artefacts) -> None:
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        layer_with(LINTIAN, Path(folder) / "layer", [bare_debian(built.suite)], built.folder)
