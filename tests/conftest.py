"""What every test may ask for, and how long it may take."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from reconcile import system
from reconcile.system import lock

pytest_plugins = [
    "tests.lab.fixtures",
    "tests.support.collected",
    "tests.support.command",
    "tests.support.machine",
    "tests.support.process_marks",
    "tests.support.tally",
]

# Seconds. The first test on a host also waits until its images are built; a configuration on
# which real nginx disagrees is made smaller for five minutes before it is told.
LIMITS_S = {"process": 600, "host": 2400, "nightly": 7200}

# The same examples in every run, and none fails for a slow machine. Other examples are tried each
# night: --hypothesis-profile exploring.
_UNHURRIED = settings(
    deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.register_profile("repeatable", _UNHURRIED, derandomize=True)
settings.register_profile("exploring", _UNHURRIED, derandomize=False)
settings.load_profile("repeatable")

# Whoever starts us in the background, or by nohup, has these ignored, and so has every child.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        limits = [limit for mark, limit in LIMITS_S.items() if item.get_closest_marker(mark)]
        if limits and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(max(limits)))


@pytest.fixture(scope="session", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lock and a record of this session's: the machine's are for whoever applies to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "PROTECTION", str(tmp_path_factory.getbasetemp() / "protected"))
        patch.setattr(lock, "RUN", str(tmp_path_factory.getbasetemp() / "reconcile.lock"))
        yield


@pytest.fixture
def public() -> Iterator[Path]:
    """An empty folder that every user reaches; pytest closes its own to them, at any time."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
