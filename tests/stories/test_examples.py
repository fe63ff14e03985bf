"""The examples run as they stand."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.support import guide_site as site

pytestmark = pytest.mark.host


@pytest.fixture
def host(debian_host: DebianHost) -> DebianHost:
    """A stock host on which somebody followed the example's header up to the apply."""
    debian_host.put_tree(site.EXAMPLE, "/srv/myapp")
    debian_host.run("ln", "-s", "/opt/apps-venv", "/srv/myapp/.venv")
    return debian_host


def test_the_flask_example_is_applied_and_verified_whole(host: DebianHost) -> None:
    applied = host.reconcile("apply", "--auto-approve", cwd="/srv/myapp")
    verified = host.reconcile("verify", cwd="/srv/myapp")
    planned = host.reconcile("plan", "--detailed-exitcode", cwd="/srv/myapp")

    assert 0 == applied.returncode, applied.stdout + applied.stderr
    assert 0 == verified.returncode, verified.stdout + verified.stderr
    assert 0 == planned.returncode, planned.stdout + planned.stderr


def test_its_upload_probe_leaves_no_upload(host: DebianHost) -> None:
    host.reconcile("apply", "--auto-approve", cwd="/srv/myapp", check=True)

    assert "" == host.run("find", site.MEDIA, "-type", "f").stdout
