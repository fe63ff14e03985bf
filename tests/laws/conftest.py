"""What is modelled on the hosts of the laws."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def free_ports() -> Iterator[None]:
    """No port is taken on a modelled host; on this machine other tests listen meanwhile."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reconcile.nginx.running.listen_check.bind_error", lambda *_, **__: 0)
        yield
