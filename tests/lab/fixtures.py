"""The fixtures that hand booted hosts to tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.lab import images
from tests.lab.debian import DebianHost
from tests.lab.lab import HostsUnavailableError, Lab, require_hosts

Boot = Callable[..., DebianHost]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """This run's lab, its images built."""
    try:
        require_hosts()
    except HostsUnavailableError as unavailable:
        # Never a skip: a run without hosts must not look like one that passed on them.
        pytest.fail(str(unavailable), pytrace=False)
    lab = Lab(images.layers())
    yield lab
    lab.close()


@pytest.fixture
def debian_hosts(lab: Lab) -> Iterator[Boot]:
    """Boot as many fresh hosts as the test asks for, by name."""
    yield from _booting(lab)


@pytest.fixture(scope="module")
def module_hosts(lab: Lab) -> Iterator[Boot]:
    """Like debian_hosts, alive until the module's last test."""
    yield from _booting(lab)


@pytest.fixture
def debian_host(debian_hosts: Boot) -> DebianHost:
    """One fresh host."""
    return debian_hosts()


def _booting(lab: Lab) -> Iterator[Boot]:
    booted: list[DebianHost] = []

    def boot(name: str | None = None) -> DebianHost:
        booted.append(lab.boot(name))
        return booted[-1]

    yield boot
    for host in booted:
        lab.stop(host)
