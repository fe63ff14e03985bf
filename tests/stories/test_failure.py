"""An apply that cannot end well leaves the host as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.lab.manifest import Manifest, differences
from tests.support import guide_site as site

pytestmark = pytest.mark.host

REFUSED = site.with_line('extra: "bogus on;"')
# What is right once installed, in a file whose apply must fail.
PORT_TAKEN = site.with_line("listen: [80, 8080]")
FAILING_PROBE = site.with_line("probes: [{get: /no-such-page, expect: {status: 200}}]")


def _nothing_yet(host: DebianHost) -> None:
    site.deploy(host)


def _a_running_site(host: DebianHost) -> None:
    site.deploy(host)
    site.apply(host)
    host.write(f"{site.MEDIA}/photo.txt", "a visitor's", user="www-data")
    # What the failing apply is to put back, not only to leave alone.
    host.write("/etc/reconcile/app/static/css/app.css", "body { color: #321; }")
    host.write("/etc/reconcile/app/static/new.css", "p { color: #321; }")


STARTS = pytest.mark.parametrize(
    "start", [_nothing_yet, _a_running_site], ids=["a stock host", "a running site"]
)
Start = Callable[[DebianHost], None]


@pytest.fixture
def host(debian_hosts: Boot) -> DebianHost:
    """A fresh host on which another process already listens on port 8080."""
    host = debian_hosts()
    host.run("systemd-run", "--unit=hog", "python3", "-m", "http.server", "-d", "/srv", "8080")
    host.run("sh", "-c", "until curl -s -o /dev/null http://127.0.0.1:8080/; do sleep 0.05; done")
    return host


def _whole(host: DebianHost) -> Manifest:
    units = ("nginx.service", "gunicorn.service", "gunicorn.socket", "hog.service")
    return host.manifest(units=units, mtimes=True)


@STARTS
def test_what_nginx_refuses_is_refused_in_its_words_and_changes_nothing(
    host: DebianHost, start: Start
) -> None:
    start(host)
    host.write("/etc/reconcile/reconcile.yaml", REFUSED)
    before = _whole(host)

    done = host.reconcile("apply", "--auto-approve")

    assert 1 == done.returncode, done.stdout + done.stderr
    assert 'unknown directive "bogus"' in done.stderr
    assert {} == differences(before, _whole(host))


@STARTS
@pytest.mark.parametrize(
    "yaml", [PORT_TAKEN, FAILING_PROBE], ids=["a port held by another", "a failing probe"]
)
def test_a_failed_apply_is_rolled_back_to_the_last_byte(
    host: DebianHost, start: Start, yaml: str
) -> None:
    start(host)
    host.write("/etc/reconcile/reconcile.yaml", yaml)
    before = _whole(host)

    done = host.reconcile("apply", "--auto-approve")

    assert 3 == done.returncode, done.stdout + done.stderr
    assert {} == differences(before, _whole(host))
    assert "Traceback" not in done.stdout + done.stderr


def test_the_running_site_keeps_serving_after_a_rollback(host: DebianHost) -> None:
    _a_running_site(host)
    old = host.http("GET", "/static/css/app.css").body
    host.write("/etc/reconcile/reconcile.yaml", FAILING_PROBE)

    done = host.reconcile("apply", "--auto-approve")

    assert 3 == done.returncode, done.stdout + done.stderr
    assert old == host.http("GET", "/static/css/app.css").body
    assert 200 == host.http("GET", "/").status
