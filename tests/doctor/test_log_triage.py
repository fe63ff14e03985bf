"""Each class of what nginx complains of, and its twin that is history or another site's."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rules import load_rule
from reconcile.system.logs import tail_with_rotated
from tests.doctor.conftest import SERVICE, doctor
from tests.doctor.single_rule import ask, configured, serious
from tests.lab import DebianHost
from tests.lab.fixtures import Boot

pytestmark = pytest.mark.host

HTTP = """
log_format told '$request|$status|$upstream_addr|$http_user_agent';
log_format named '$host|$request|$status|$upstream_addr';
access_log {root}/shared.log named;
server {{
    listen 127.0.0.1:8099;
    server_name .shop.test;
    access_log {root}/access.log told;
    access_log {root}/shared.log named;
    location /static/ {{ alias {root}/static/; }}
    location ~ \\.js$ {{ proxy_pass http://127.0.0.1:1; }}
    location / {{ proxy_pass http://127.0.0.1:1; }}
}}
server {{
    listen 127.0.0.1:8099;
    server_name other.test;
    access_log {root}/shared.log named;
    location /static/ {{ alias {root}/other/; }}
}}
"""
OF = 'client: 127.0.0.1, server: shop.test, request: "GET / HTTP/1.1", host: "shop.test"'
CLASSES = {
    "24": ("accept4() failed (24: Too many open files)", "file descriptors"),
    "connections": ("512 worker_connections are not enough", "worker_connections"),
    "110": (
        "*1 upstream timed out (110: Connection timed out) while reading response header from"
        f" upstream, {OF}",
        "504",
    ),
    "104": (
        "*1 recv() failed (104: Connection reset by peer) while reading response header from"
        f" upstream, {OF}",
        "aborted its answer",
    ),
    "closed": (
        f"*1 upstream prematurely closed connection while reading response header, {OF}",
        "aborted its answer",
    ),
    "header": (
        f"*1 upstream sent too big header while reading response header from upstream, {OF}",
        "headers exceed",
    ),
}


@pytest.fixture
def root() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(dir="/srv"))
    root.chmod(0o755)
    (root / "static").mkdir()
    yield root
    shutil.rmtree(root)


def line(said: str) -> str:
    return f"{time.strftime('%Y/%m/%d %H:%M:%S')} [error] 7#7: {said}\n"


def logged(root: Path, *said: str, name: str = "error.log") -> list[str]:
    """What is said, notes aside, of an error log with these lines."""
    (root / name).write_text("".join(map(line, said)))
    found = serious(ask("log-triage", configured(root, HTTP.format(root=root)), root))
    return [f"{one.what} {' '.join(one.evidence)}" for one in found]


def answered_by_the_app(root: Path) -> list[str]:
    """What is noted of files that nginx should answer for."""
    found = ask("log-triage", configured(root, HTTP.format(root=root)), root).findings
    notes = [one for one in found if one.severity == "note"]
    return [f"{one.what} {' '.join(one.evidence)}" for one in notes if "The app, not" in one.what]


@pytest.mark.parametrize(("said", "what"), CLASSES.values(), ids=CLASSES)
def test_log_triage_counts_an_error_that_cannot_be_tested_again(
    root: Path, said: str, what: str
) -> None:
    [finding] = logged(root, said, said)

    assert what in finding
    assert "2 times" in finding
    assert said.removeprefix("*1 ") in finding


def test_log_triage_continues_in_the_rotated_log(root: Path) -> None:
    (root / "error.log").write_text("")

    [finding] = logged(root, CLASSES["24"][0], name="error.log.1")

    assert f"{root}/error.log.1: " in finding


def test_log_triage_skips_lines_of_other_sites(root: Path) -> None:
    (root / "error.log").write_text(line(CLASSES["110"][0]))
    host = configured(root, HTTP.format(root=root))
    rule = [load_rule("log-triage")]

    other = diagnose(HostInspection(host, server_names=frozenset(["other.test"])), rule)
    shop = diagnose(HostInspection(host, server_names=frozenset([".shop.test"])), rule)

    assert ([], 1) == (serious(other), len(serious(shop)))


@pytest.mark.parametrize(
    "said",
    [
        f"*1 client intended to send too large body: 9 bytes, {OF}",
        f'*1 open() "/srv/gone" failed (2: No such file or directory), {OF}',
        f'*1 open() "/srv" failed (13: Permission denied), {OF}',
        f"*1 connect() failed (111: Connection refused) while connecting to upstream, {OF}"
        ', upstream: "http://127.0.0.1:9/", host: "a"',
        'signal process started; open() "/x" (24',
    ],
    ids=["too large", "missing", "mended", "an upstream that is gone", "no number"],
)
def test_log_triage_is_silent_on_similar_lines(root: Path, said: str) -> None:
    assert [] == logged(root, said)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        (["GET /static/a.js HTTP/1.1|404|127.0.0.1:1|curl"], "answers for 1 file of .shop.test"),
        (["GET /assets/a.css HTTP/1.1|200|127.0.0.1:1|curl"], "answers for 1 file"),
        (["GET /assets/a.css HTTP/1.1|404|127.0.0.1:1|a scanner"], ""),
        (["GET /static/a.js HTTP/1.1|404|127.0.0.1:1|reconcile"], ""),
        (["GET /static/a.css HTTP/1.1|200|-|curl"], ""),
        (["GET /static/a.js HTTP/1.1|200|-|curl"], ""),
        (["POST /static/a.js HTTP/1.1|404|127.0.0.1:1|curl"], ""),
        (["no line of ours"], ""),
    ],
    ids=[
        "shadowed",
        "served by the app",
        "nobody's file",
        "our own request",
        "by nginx",
        "by nginx then",
        "no reading",
        "of another form",
    ],
)
def test_log_triage_reports_requests_for_files_that_the_app_answered(
    root: Path, entries: list[str], what: str
) -> None:
    (root / "access.log").write_text("".join(f"{one}\n" for one in entries))

    found = answered_by_the_app(root)

    assert bool(what) == bool(found)
    assert all(what in one and entries[0] in one for one in found)


@pytest.mark.parametrize(
    ("host", "found"), [("www.shop.test", 1), ("shop.test", 1), ("other.test", 0), ("x.test", 0)]
)
def test_log_triage_uses_the_name_in_a_log_of_several_servers(
    root: Path, host: str, found: int
) -> None:
    (root / "shared.log").write_text(f"{host}|GET /static/a.js HTTP/1.1|404|127.0.0.1:1\n")

    assert found == len(answered_by_the_app(root))


def test_log_triage_reports_files_that_are_still_denied(root: Path) -> None:
    (root / "static/a.css").write_text("a")
    (root / "static/a.css").chmod(0o600)
    (root / "access.log").write_text("GET /static/a.css HTTP/1.1|403|-|curl\n")

    [before] = logged(root)
    (root / "static/a.css").chmod(0o644)

    assert "1 requested file of .shop.test returned 403" in before
    assert [] == logged(root)


def test_log_triage_notes_missing_files(root: Path) -> None:
    (root / "access.log").write_text("GET /static/gone.css HTTP/1.1|404|-|curl\n")

    found = ask("log-triage", configured(root, HTTP.format(root=root)), root)

    assert ["note"] == [one.severity for one in found.findings]
    assert "gone.css" in found.findings[0].evidence[0]


def test_log_triage_skips_a_log_that_keeps_nothing(root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "terminal").symlink_to("/dev/null")
    kept = f"error_log {root}/fifo; access_log /dev/null; access_log {root}/terminal;"
    http = HTTP.replace("location / ", kept.replace("{", "{{") + " location / ", 1)

    found = ask("log-triage", configured(root, http.format(root=root)), root)

    assert ((), ()) == (found.findings, found.unknown)


def test_a_log_is_read_from_its_end_and_never_more_than_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("new 1\nnew 2\n")
    (tmp_path / "a.log-20261120").write_text("older\n")
    (tmp_path / "a.log-20261121").write_text("old 1\nold 2\n")
    (tmp_path / "a.log-20261119.gz").write_text("oldest\n")

    def lines(limit: int) -> list[str]:
        return [
            line for _, part in tail_with_rotated(str(tmp_path / "a.log"), limit) for line in part
        ]

    assert ["old 1", "old 2", "new 1", "new 2"] == lines(100)
    assert ["old 2", "new 1", "new 2"] == lines(20)
    assert ["new 2"] == lines(8)


SLOW = """
import os, time
def app(environ, start):
    path = environ["PATH_INFO"]
    if path == "/sleep":
        time.sleep(2)
    if path == "/die":
        os._exit(1)
    start("200 OK", [("Content-Type", "text/plain")] + [("X-Long", "x" * 9000)] * (path == "/long"))
    return [b"fine"]
"""
SITE = """server { listen 80; server_name slow.test; client_max_body_size 1m;
    client_body_temp_path /srv/small/body; client_body_buffer_size 1k;
    location / { proxy_pass http://127.0.0.1:9400; proxy_read_timeout 200ms; }
}"""
# The log tells no more than seconds.
NEXT_SECOND = "t=$(date +%s); until [ $(date +%s) -gt $t ]; do sleep 0.05; done; "
REAL = {
    "/sleep": "504: the app did not answer in time",
    "/die": "502: the app aborted its answer",
    "/long": "502: the app's headers exceed",
}


@pytest.fixture(scope="module")
def slow(module_hosts: Boot) -> DebianHost:
    host = module_hosts("slow")
    host.write("/srv/slow/app/app.py", SLOW)
    unit = SERVICE.format(d="/srv/slow", bind="-b 127.0.0.1:9400", unit="")
    host.write("/etc/systemd/system/slow.service", unit)
    host.write("/etc/nginx/sites-enabled/slow", SITE)
    host.run(
        "sh",
        "-c",
        "mkdir /srv/small; mount -t tmpfs -o size=2m none /srv/small;"
        " systemctl daemon-reload; systemctl start slow; systemctl restart nginx",
    )
    answers(host)
    return host


def answers(host: DebianHost) -> None:
    host.run(
        "timeout",
        "20",
        "sh",
        "-c",
        "until curl -sf http://127.0.0.1:9400/ >/dev/null; do sleep 0.05; done",
    )


@pytest.mark.parametrize(("path", "what"), REAL.items())
def test_log_triage_reports_failures_of_the_app_until_it_is_restarted(
    slow: DebianHost, path: str, what: str
) -> None:
    slow.http("GET", path, host="slow.test")

    before = doctor(slow).about("log-triage", what)
    slow.run("sh", "-c", NEXT_SECOND + "systemctl restart slow")
    answers(slow)

    assert before
    assert [] == doctor(slow).about("log-triage", what)


def test_log_triage_reports_a_full_disk_until_there_is_space(slow: DebianHost) -> None:
    slow.run("sh", "-c", "head -c 2000000 /dev/zero >/srv/small/filler || true")
    slow.http("POST", "/", host="slow.test", body=b"x" * 500_000)

    full = doctor(slow).about("log-triage", "/srv/small/body")
    slow.run("rm", "/srv/small/filler")

    assert "28: no space left on device" in full[0]
    assert [] == doctor(slow).about("log-triage", "/srv/small/body")
