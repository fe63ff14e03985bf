"""What an app complains of in a file of its own, and when that is history."""

from __future__ import annotations

import pytest

from reconcile.doctor.gunicorn_logs import line_time, lines_since
from tests.doctor.conftest import SERVICE, WSGI, doctor
from tests.lab import DebianHost
from tests.lab.fixtures import Boot

pytestmark = pytest.mark.host

SITE = """server { listen 80; server_name shop.test;
    location ^~ /media/ { alias /srv/shop/media/; }
    location / { proxy_pass http://127.0.0.1:9500; }
}"""
LOGS = "--access-logfile log --error-logfile /srv/shop/error.log --capture-output"
OLD = (
    "[2020-01-01 10:00:00 +0000] [7] [ERROR] Error handling request /save\n"
    "PermissionError: [Errno 13] Permission denied: '/srv/gone/forever.txt'\n"
)


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    host = module_hosts("triage")
    host.write("/etc/nginx/sites-enabled/shop", SITE)
    host.write("/srv/shop/app/app.py", WSGI)
    host.run(
        "sh",
        "-c",
        "mkdir /srv/shop/media; mount -t tmpfs -o size=2m,mode=777 none"
        " /srv/shop/media; chown -R www-data /srv/shop/app /srv/shop/media;"
        " chmod 777 /srv/shop; systemctl reload nginx",
    )
    host.write("/srv/shop/error.log", OLD, user="www-data")
    start(host, "")
    return host


def start(host: DebianHost, more: str) -> None:
    unit = SERVICE.replace("--access-logfile -", LOGS).format(
        d="/srv/shop",
        bind="-b 127.0.0.1:9500",
        unit=f"Environment=UPLOAD_FOLDER=/srv/shop/media\n{more}",
    )
    host.write("/etc/systemd/system/shop.service", unit)
    host.run(
        "sh",
        "-c",
        "systemctl daemon-reload; systemctl restart shop; timeout 20 sh -c 'until"
        " curl -sf http://127.0.0.1:9500/ >/dev/null; do sleep 0.05; done'",
    )


def test_gunicorn_triage_ignores_lines_of_a_former_run(host: DebianHost) -> None:
    assert [] == doctor(host).of("gunicorn-triage")


def test_gunicorn_triage_reads_the_file_that_the_app_logs_to(host: DebianHost) -> None:
    host.run("chown", "root", "/srv/shop/media")
    host.run("chmod", "0755", "/srv/shop/media")
    host.http("GET", "/save", host="shop.test")

    before = doctor(host).about("gunicorn-triage", "Permission denied: '/srv/shop/media/saved.txt'")
    host.run("chown", "www-data", "/srv/shop/media")

    assert "was denied access to /srv/shop/media/saved.txt" in before[0]
    assert [] == doctor(host).of("gunicorn-triage")


def test_gunicorn_triage_reports_a_full_disk_until_there_is_space(host: DebianHost) -> None:
    host.run("sh", "-c", "head -c 3000000 /dev/zero >/srv/shop/media/filler || true")
    host.http("GET", "/save", host="shop.test")

    full = doctor(host).of("gunicorn-triage")
    host.run("rm", "/srv/shop/media/filler")

    assert "has no space left to write in /srv/shop/media" in full[0]["what"]
    assert [] == doctor(host).of("gunicorn-triage")


def test_gunicorn_triage_checks_the_mounts_of_the_process_itself(
    host: DebianHost,
) -> None:
    host.run("mount", "-o", "remount,ro", "/srv/shop/media")
    host.http("GET", "/save", host="shop.test")

    before = doctor(host).about("gunicorn-triage", "read-only")
    host.run("mount", "-o", "remount,rw", "/srv/shop/media")

    assert "/srv/shop/media/saved.txt" in before[0]
    assert [] == doctor(host).about("gunicorn-triage", "read-only")


def test_gunicorn_triage_sees_the_read_only_mounts_of_a_sandbox(host: DebianHost) -> None:
    start(host, "ReadOnlyPaths=/srv/shop/media")
    host.http("GET", "/save", host="shop.test")

    [said] = doctor(host).of("gunicorn-triage")

    start(host, "")
    assert "ReadWritePaths=/srv/shop/media" in said["fix"]
    assert [] == doctor(host).of("gunicorn-triage")


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("[2026-11-22 17:55:31 +0000] [69] [INFO] Starting gunicorn", 1795370131),
        ('127.0.0.1 - - [22/Nov/2026:18:55:31 +0100] "GET / HTTP/1.1" 200 5', 1795370131),
        ("Traceback (most recent call last):", None),
        ("[2026-13-41 17:55:31 +0000] no date", None),
    ],
)
def test_a_line_of_gunicorn_has_a_time(line: str, at: float | None) -> None:
    assert at == line_time(line)


def test_lines_without_a_date_belong_to_the_line_before_them() -> None:
    lines = [
        "PermissionError: old",
        "[1970-01-01 00:01:00 +0000] old",
        "KeyError: old",
        "[1970-01-01 00:02:00 +0000] new",
        "KeyError: new",
    ]

    assert lines[3:] == list(lines_since(119.5, lines))
