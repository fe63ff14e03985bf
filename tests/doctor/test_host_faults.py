"""Faults that concern the whole nginx: each is put on one host, told, and taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.doctor.conftest import doctor
from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support.nginx_reload import reload_nginx

pytestmark = pytest.mark.host

SITE = "/etc/nginx/sites-enabled/site.conf"
FINE = "server { listen 8080; server_name fine.test; return 404; }\n"


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    host = module_hosts("wide")
    host.write(SITE, FINE)
    reload_nginx(host)
    return host


@contextmanager
def changed(host: DebianHost, text: str, *, reload: bool = False) -> Iterator[None]:
    host.write(SITE, text)
    if reload:
        reload_nginx(host)
    try:
        yield
    finally:
        host.write(SITE, FINE)
        host.run("systemctl", "reset-failed", "nginx")
        host.run("systemctl", "restart", "nginx")
        # Workers are started a moment after systemd calls nginx started.
        workers = "pgrep -f 'nginx: [w]orker process' > /dev/null"
        host.run("timeout", "60", "sh", "-c", f"until {workers}; do sleep 0.02; done")


def test_a_stock_host_is_silent(host: DebianHost) -> None:
    said = doctor(host)

    assert (0, [], []) == (said.exit_code, said.document["findings"], said.unknown)


def test_config_valid_reports_the_position_that_nginx_names(host: DebianHost) -> None:
    with changed(host, FINE.replace("return", "retrun")):
        said = doctor(host)

    assert f'{SITE}:1: unknown directive "retrun"' in said.of("config-valid")[0]["evidence"][0]


BESIDE = "/etc/nginx/sites-available/unused"


def test_config_valid_is_silent_on_a_warning_and_on_what_nginx_never_reads(
    host: DebianHost,
) -> None:
    host.write(BESIDE, "server { retrun 404;")
    host.write("/etc/nginx/conf.d/site.conf.off", "} }")
    with changed(host, FINE + FINE, reload=True):
        tested = host.run("nginx", "-t")
        said = doctor(host)

    host.run("rm", BESIDE, "/etc/nginx/conf.d/site.conf.off")
    assert 'conflicting server name "fine.test"' in tested.stderr
    assert {"dup-server"} == said.rules
    assert [] == said.unknown


def test_a_broken_file_hides_no_rule_that_can_do_without_it(host: DebianHost) -> None:
    with changed(host, "server {"):
        said = doctor(host)

    assert {"config-valid"} == said.rules
    assert "rule:alias-slash" in {one["address"] for one in said.unknown}
    assert 1 == said.exit_code


def test_stale_live_config_is_reported_until_the_reload(host: DebianHost) -> None:
    with changed(host, FINE + "# changed\n"):
        (before,) = doctor(host).of("stale-live-config")
        reload_nginx(host)

        assert SITE in before["evidence"][0]

    assert [] == doctor(host).of("stale-live-config")


SLOW = """
import socket, time
asked = socket.create_connection(("127.0.0.1", 8080))
asked.sendall(b"GET /file HTTP/1.1\\r\\nHost: fine.test\\r\\n\\r\\n")
asked.recv(10)
open("/run/slow", "w").close()
time.sleep(60)
"""


def test_stale_live_config_is_silent_while_an_old_worker_drains(host: DebianHost) -> None:
    host.run("sh", "-c", "mkdir -p /srv/slow; truncate -s 100M /srv/slow/file")
    with changed(host, FINE.replace("return 404;", "root /srv/slow;"), reload=True):
        host.run("systemd-run", "--unit=slow", "--quiet", "/usr/bin/python3", "-c", SLOW)
        host.run("timeout", "60", "sh", "-c", "until test -e /run/slow; do sleep 0.02; done")
        reload_nginx(host)
        said = doctor(host)
        draining = host.run("pgrep", "-f", "worker process is shutting down", check=False)
        host.run("systemctl", "stop", "slow")

    assert draining.stdout
    assert [] == said.of("stale-live-config")


def test_stale_live_config_is_silent_on_a_change_of_what_nginx_never_reads(
    host: DebianHost,
) -> None:
    host.write(BESIDE, FINE)

    said = doctor(host)

    host.run("rm", BESIDE)
    assert [] == said.of("stale-live-config")


def test_stale_live_config_reports_that_nginx_is_not_running(host: DebianHost) -> None:
    host.run("systemctl", "stop", "nginx")

    said = doctor(host)

    host.run("systemctl", "start", "nginx")
    assert ["nginx is not running."] == [one["what"] for one in said.of("stale-live-config")]


def test_bind_conflict_names_who_holds_the_port(host: DebianHost) -> None:
    held = ("/usr/bin/python3", "-m", "http.server", "8081")
    host.run("systemd-run", "--unit=hog", "--quiet", *held)
    listens = "grep -q ':1F91 ' /proc/net/tcp /proc/net/tcp6"  # 8081
    host.run("timeout", "60", "sh", "-c", f"until {listens}; do sleep 0.02; done")
    with changed(host, FINE.replace("8080", "8081")):
        said = doctor(host).of("bind-conflict")
        host.run("systemctl", "stop", "hog")

    assert "8081" in said[0]["what"]
    assert "python3" in said[0]["evidence"][0]


def test_bind_conflict_is_silent_where_nginx_itself_holds_the_port(host: DebianHost) -> None:
    with changed(host, FINE + FINE.replace("fine", "other")):
        assert [] == doctor(host).of("bind-conflict")


def test_bind_conflict_warns_where_only_a_restart_helps(host: DebianHost) -> None:
    with changed(host, FINE.replace("listen 8080", "listen 127.0.0.1:8080")):
        (said,) = doctor(host).of("bind-conflict")

    assert "restart" in said["fix"]


@pytest.mark.parametrize(
    ("make", "what"),
    [
        ("ln -s /nowhere /etc/nginx/sites-enabled/dangling", "is a broken link"),
        ("mkdir /etc/nginx/sites-enabled/folder", "is a folder"),
    ],
)
def test_sites_enabled_hygiene_reports_what_breaks_the_configuration(
    host: DebianHost, make: str, what: str
) -> None:
    host.run("sh", "-c", make)

    said = doctor(host)

    host.run("rm", "-rf", make.split()[-1])
    assert what in said.of("sites-enabled-hygiene")[0]["what"]
    assert {"config-valid", "sites-enabled-hygiene"} == said.rules


def test_selinux_sandbox_reports_what_ausearch_finds_since_nginx_started(host: DebianHost) -> None:
    denied = (
        'type=AVC msg=audit({at}:12): apparmor="DENIED" operation="open"'
        ' profile="/usr/sbin/nginx" name="/srv/static/a.css" pid=7 comm="nginx"\n'
    )
    now, long_ago = (denied.replace("{at}", at) for at in ("4000000000.1", "1000000000.1"))
    host.write("/root/denied", now.replace("nginx", "cupsd") + long_ago)
    host.write("/usr/local/sbin/ausearch", "#!/bin/sh\ncat /root/denied\n", mode="0755")
    others = doctor(host).of("selinux-sandbox")
    host.write("/root/denied", now)

    said = doctor(host).of("selinux-sandbox")

    host.run("rm", "/usr/local/sbin/ausearch")
    assert [] == others
    assert "/srv/static/a.css" in said[0]["evidence"][0]


def test_without_privileges_it_reports_what_it_could_not_check(host: DebianHost) -> None:
    host.run("chmod", "0600", SITE)

    done = host.run("/usr/local/bin/reconcile", "doctor", user="www-data", check=False)

    host.run("chmod", "0644", SITE)
    assert 1 == done.returncode
    assert "Could not be checked:" in done.stdout
    assert SITE in done.stdout
