"""A site taken out of the YAML goes; what users uploaded stays."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.lab.manifest import differences
from tests.support import guide_site as site

pytestmark = pytest.mark.host

SHOP = """
  shop:
    server_names: [shop.test]
    app: {upstream: "http://127.0.0.1:8001"}
    locations:
      /static/: {role: static, dir: /var/www/shop/static, source: ./app/static}
"""
HEAD = "version: 1\nsites:"


@pytest.fixture
def host(debian_hosts: Boot) -> DebianHost:
    """A host that serves two sites, one with an upload and a static file that is not ours."""
    host = debian_hosts()
    host.run("systemd-run", "--unit=shop", "python3", "-m", "http.server", "-d", "/srv", "8001")
    site.deploy(host, site.SMALLEST + SHOP)
    site.apply(host)
    host.write(f"{site.MEDIA}/2026/photo.txt", "a visitor's", user="www-data")
    host.run("chown", "www-data:www-data", f"{site.MEDIA}/2026")
    return host


def test_its_configuration_link_units_and_static_files_are_gone(host: DebianHost) -> None:
    host.write("/etc/reconcile/reconcile.yaml", HEAD + SHOP)

    site.apply(host)

    managed = (site.SITE_FILE, site.SITE_LINK, site.UNIT_FILE, site.SOCKET_FILE, site.STYLESHEET)
    assert [] == [path for path in managed if host.exists(path)]
    assert 0 == site.plan(host).exit_code
    for unit in ("gunicorn.service", "gunicorn.socket"):
        assert "not-found" in host.run("systemctl", "show", "-p", "LoadState", unit).stdout
        assert 0 != host.run("systemctl", "is-active", unit, check=False).returncode
    assert b"Welcome to nginx" in host.http("GET", "/").body


def test_its_media_is_untouched(host: DebianHost) -> None:
    before = host.manifest(site.MEDIA, units=(), mtimes=True)
    host.write("/etc/reconcile/reconcile.yaml", HEAD + SHOP)

    site.apply(host)

    assert {} == differences(before, host.manifest(site.MEDIA, units=(), mtimes=True))


def test_a_foreign_static_file_stays(host: DebianHost) -> None:
    host.write(f"{site.STATIC}/by-hand.txt", "kept")
    host.write("/etc/reconcile/reconcile.yaml", HEAD + SHOP)

    site.apply(host)

    assert b"kept" == host.read(f"{site.STATIC}/by-hand.txt")
    assert not host.exists(site.STYLESHEET)


def test_the_other_site_still_answers(host: DebianHost) -> None:
    host.write("/etc/reconcile/reconcile.yaml", HEAD + SHOP)

    site.apply(host)

    assert 200 == host.http("GET", "/static/css/app.css", host="shop.test").status


def test_an_empty_host_has_to_be_asked_for(host: DebianHost) -> None:
    host.write("/etc/reconcile/reconcile.yaml", "version: 1\nsites: {}\n")
    before = host.manifest(mtimes=True)

    refused = host.reconcile("apply", "--auto-approve")

    assert 1 == refused.returncode, refused.stdout
    assert "--allow-empty" in refused.stderr
    assert {} == differences(before, host.manifest(mtimes=True))
    site.apply(host, "--allow-empty")
    assert not host.exists(site.SITE_FILE)
    assert b"a visitor's" == host.read(f"{site.MEDIA}/2026/photo.txt")
