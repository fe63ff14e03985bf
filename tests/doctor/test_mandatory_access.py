"""SELinux and AppArmor on a kernel that enforces them: the fault is named, and its fix ends it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.doctor.conftest import Said, doctor
from tests.lab.virtual_machine import VirtualHost, booted

pytestmark = pytest.mark.nightly

SITE = """
server {
    listen 80 default_server;
    server_name shop.test;
    location /static/ { alias %s/; }
    location /app/ { proxy_pass http://127.0.0.1:8000/; proxy_set_header Host $host; }
    location / { return 204; }
}
"""
APP = """
[Service]
ExecStart=/usr/bin/python3 -m http.server --directory /var/empty --bind 127.0.0.1 8000
"""
KNOWN, UNKNOWN = "/var/www/shop/static", "/srv/shop/static"


def serve(host: VirtualHost, folder: str) -> None:
    """Serve one stylesheet from `folder`, with an app beside it."""
    host.write(f"{folder}/a.css", "body{}\n")
    host.write("/etc/nginx/sites-enabled/default", SITE % folder)
    host.run("systemctl", "restart", "nginx")


def start_app(host: VirtualHost) -> None:
    host.run("mkdir", "-p", "/var/empty")
    host.write("/etc/systemd/system/app.service", APP)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", "app")
    ask = "until curl -s -o /dev/null http://127.0.0.1:8000/; do sleep 0.2; done"
    host.run("sh", "-c", ask)


def status(host: VirtualHost, uri: str) -> int:
    command = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1{uri}")
    return int(host.run(*command).stdout)


def errors(found: Said) -> list[dict[str, Any]]:
    return [one for one in found.document["findings"] if one["severity"] != "note"]


def only(found: Said) -> dict[str, Any]:
    [finding] = errors(found)
    assert "selinux-sandbox" == finding["rule"]
    return finding


@pytest.fixture(scope="module")
def selinux() -> Iterator[VirtualHost]:
    # Some of Debian's own services need what its policy denies while they start.
    with booted("security=selinux", "selinux=1", "enforcing=0") as host:
        host.run("setenforce", "1")
        assert "Enforcing" == host.run("getenforce").stdout.strip()
        start_app(host)
        host.run("setsebool", "httpd_can_network_connect", "1")
        yield host


@pytest.fixture(scope="module")
def apparmor() -> Iterator[VirtualHost]:
    with booted("security=apparmor", "apparmor=1", "selinux=0") as host:
        assert "Y" == host.read("/sys/module/apparmor/parameters/enabled").decode().strip()
        start_app(host)
        yield host


class TestSELinux:
    def test_a_site_that_the_policy_knows_is_fine(self, selinux: VirtualHost) -> None:
        serve(selinux, KNOWN)

        assert (200, 200) == (status(selinux, "/static/a.css"), status(selinux, "/app/"))
        assert [] == errors(doctor(selinux))

    def test_a_file_that_was_moved_from_a_home_gets_its_label_back(
        self, selinux: VirtualHost
    ) -> None:
        serve(selinux, KNOWN)
        selinux.run("chcon", "-t", "user_home_t", f"{KNOWN}/a.css")
        assert 403 == status(selinux, "/static/a.css")

        finding = only(doctor(selinux))
        selinux.run("sh", "-c", finding["fix"])

        assert f"restorecon -Rv {KNOWN}" == finding["fix"]
        assert 200 == status(selinux, "/static/a.css")
        assert [] == errors(doctor(selinux))

    def test_a_folder_that_the_policy_does_not_know_gets_a_label(
        self, selinux: VirtualHost
    ) -> None:
        serve(selinux, UNKNOWN)
        assert 403 == status(selinux, "/static/a.css")

        finding = only(doctor(selinux))
        selinux.run("sh", "-c", finding["fix"])

        assert "has the label var_t" in finding["what"].replace("what ", "")
        assert 200 == status(selinux, "/static/a.css")
        assert [] == errors(doctor(selinux))

    def test_a_boolean_that_is_off_is_named(self, selinux: VirtualHost) -> None:
        serve(selinux, KNOWN)
        selinux.run("setsebool", "httpd_can_network_connect", "0")
        assert 502 == status(selinux, "/app/")

        finding = only(doctor(selinux))
        selinux.run("sh", "-c", finding["fix"])

        assert "setsebool -P httpd_can_network_connect 1" == finding["fix"]
        assert 200 == status(selinux, "/app/")
        assert [] == errors(doctor(selinux))


PROFILE = """
abi <abi/3.0>,
include <tunables/global>
profile nginx /usr/sbin/nginx flags=(attach_disconnected) {
  include <abstractions/base>
  include <abstractions/nameservice>
  include <abstractions/openssl>
  capability dac_override,
  capability dac_read_search,
  capability net_bind_service,
  capability setgid,
  capability setuid,
  capability chown,
  /usr/sbin/nginx mr,
  /usr/lib/nginx/modules/*.so mr,
  /usr/share/nginx/modules-available/* r,
  /etc/nginx/** r,
  /run/nginx.pid rw,
  /var/log/nginx/* rw,
  /var/lib/nginx/** rw,
  /var/www/** r,
  %s
}
"""


class TestAppArmor:
    @pytest.mark.parametrize("include", ["include if exists <local/usr.sbin.nginx>", ""])
    def test_what_a_profile_denies_is_added_to_it(
        self, apparmor: VirtualHost, include: str
    ) -> None:
        path = "/etc/apparmor.d/usr.sbin.nginx"
        apparmor.write(path, PROFILE % include)
        apparmor.run("rm", "-f", "/etc/apparmor.d/local/usr.sbin.nginx")
        apparmor.run("apparmor_parser", "-r", path)
        serve(apparmor, KNOWN)
        assert 200 == status(apparmor, "/static/a.css")
        assert [] == errors(doctor(apparmor))
        serve(apparmor, UNKNOWN)
        assert 403 == status(apparmor, "/static/a.css")

        finding = only(doctor(apparmor))
        if include:
            apparmor.run("sh", "-c", finding["fix"])
        else:
            line = re.search(r": (\S+ r,) Then: ", finding["fix"])
            assert line is not None
            apparmor.write(path, PROFILE % line[1])
            apparmor.run("sh", "-c", finding["fix"].partition("Then: ")[2])

        assert "AppArmor denied nginx open on" in finding["what"]
        assert 200 == status(apparmor, "/static/a.css")
        assert [] == errors(doctor(apparmor))
