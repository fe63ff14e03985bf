"""What somebody does behind reconcile's back is the one thing that the next plan shows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import guide_site as site

pytestmark = pytest.mark.host

NGINX_LIVE = "nginx_live:/etc/nginx/nginx.conf"


@dataclass(frozen=True)
class Drift:
    """What is done on the host, the address that must show it, and one that may stand beside it."""

    done: str
    address: str
    beside: frozenset[str] = frozenset()


RUNNING_DIFFERS = frozenset({NGINX_LIVE})
ANOTHER_CONFIGURATION = f"""
cp -p {site.SITE_FILE} /tmp/kept
sed -i 's/max-age=604800/max-age=1/' {site.SITE_FILE}
systemctl reload nginx
until curl -si -H Host:example.com http://127.0.0.1/static/css/app.css | grep -q 'max-age=1.$'
do sleep 0.05; done
mv /tmp/kept {site.SITE_FILE}
"""

DRIFTS = {
    "the mode of a static file": Drift(f"chmod 0600 {site.STYLESHEET}", f"assets:{site.STATIC}"),
    "the mode of the site file": Drift(f"chmod 0600 {site.SITE_FILE}", f"file:{site.SITE_FILE}"),
    "the mode of an upload": Drift(f"chmod 0600 {site.MEDIA}/photo.txt", f"tree:{site.MEDIA}"),
    "the group of an upload": Drift(f"chgrp games {site.MEDIA}/photo.txt", f"tree:{site.MEDIA}"),
    "the site file edited": Drift(
        f"echo '# by hand' >>{site.SITE_FILE}", f"file:{site.SITE_FILE}", RUNNING_DIFFERS
    ),
    "the site's link removed": Drift(
        f"rm {site.SITE_LINK}", f"symlink:{site.SITE_LINK}", RUNNING_DIFFERS
    ),
    "a static file deleted": Drift(f"rm {site.STYLESHEET}", f"assets:{site.STATIC}"),
    "a static file changed": Drift(f"echo 'x' >{site.STYLESHEET}", f"assets:{site.STATIC}"),
    "a static file changed to the same size and time": Drift(
        f"touch -r {site.STYLESHEET} /tmp/then; sed -i s/body/ydob/ {site.STYLESHEET};"
        f"touch -r /tmp/then {site.STYLESHEET}",
        f"assets:{site.STATIC}",
    ),
    "nginx stopped": Drift("systemctl stop nginx", "service:nginx.service"),
    "Gunicorn stopped": Drift("systemctl stop gunicorn.service", "service:gunicorn.service"),
    "nginx disabled": Drift("systemctl disable nginx", "service:nginx.service"),
    "nginx running another configuration": Drift(ANOTHER_CONFIGURATION, NGINX_LIVE),
    "an unreadable parent directory": Drift(
        "chmod 0700 /var/www/myapp", "directory:/var/www/myapp"
    ),
    "an unreadable directory further up": Drift("chmod 0700 /var/www", "directory:/var/www"),
    "the unit file edited": Drift(f"echo '# by hand' >>{site.UNIT_FILE}", f"unit:{site.UNIT_FILE}"),
}
MEDIA_OWNER = {f"directory:{site.MEDIA}", f"tree:{site.MEDIA}"}


@pytest.fixture(scope="module")
def applied(module_hosts: Boot) -> list[DebianHost]:
    """The host that the cases share: in a list, since a failed case has it replaced."""
    return [_in_sync(module_hosts)]


@pytest.fixture
def host(applied: list[DebianHost], module_hosts: Boot) -> DebianHost:
    """A host in sync, with an upload in its media folder."""
    if site.plan(applied[-1]).exit_code != 0:
        applied.append(_in_sync(module_hosts))
    return applied[-1]


def _in_sync(boot: Boot) -> DebianHost:
    host = boot()
    site.deploy(host)
    site.apply(host)
    host.write(f"{site.MEDIA}/photo.txt", "a visitor's", user="www-data")
    return host


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS.keys())
def test_is_the_only_change_and_fixed(host: DebianHost, drift: Drift) -> None:
    host.run("sh", "-euc", drift.done)

    planned = site.plan(host)
    site.apply(host)

    assert (2, {drift.address}) == (planned.exit_code, planned.addresses - drift.beside)
    assert (0, set()) == (site.plan(host).exit_code, site.plan(host).addresses)
    assert 200 == host.http("GET", "/static/css/app.css").status


def test_the_owner_of_the_media_folder_is_one_change_and_fixed(host: DebianHost) -> None:
    host.run("chown", "root:root", site.MEDIA)

    planned = site.plan(host)
    site.apply(host)

    assert (2, 1) == (planned.exit_code, len(planned.addresses & MEDIA_OWNER))
    assert planned.addresses <= MEDIA_OWNER
    assert "www-data" == host.testinfra.file(site.MEDIA).user
    assert 0 == site.plan(host).exit_code


def test_an_upload_of_a_third_user_is_reported_and_left_alone(host: DebianHost) -> None:
    host.run("chown", "games", f"{site.MEDIA}/photo.txt")

    done = host.reconcile("plan", "--detailed-exitcode")

    assert 0 == done.returncode
    assert f"{site.MEDIA}/photo.txt" in done.stdout


def test_mending_leaves_uploads_as_they_are(host: DebianHost) -> None:
    host.run("chown", "root:root", site.MEDIA)
    host.run("rm", site.STYLESHEET)

    site.apply(host)

    assert b"a visitor's" == host.read(f"{site.MEDIA}/photo.txt")
