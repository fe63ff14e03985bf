"""A stock Debian with nginx becomes the guide's site by one apply."""

from __future__ import annotations

import json

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import guide_site as site
from tests.support.system_calls import traced

pytestmark = pytest.mark.host

UPLOAD = b"what a visitor sent \x00\xff\n"


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    """A host on which the first apply has just ended well."""
    host = module_hosts("web1")
    site.deploy(host)
    site.apply(host)
    return host


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_curl_gets_the_stylesheet_with_one_cache_control(host: DebianHost, address: str) -> None:
    url = f"http://{address}/static/css/app.css"
    answer = host.run("curl", "-si", "-H", "Host: example.com", url).stdout

    head, _, body = answer.partition("\r\n\r\n")
    cache = [line for line in head.splitlines() if line.lower().startswith("cache-control:")]
    assert head.startswith("HTTP/1.1 200")
    assert ["Cache-Control: public, max-age=604800"] == cache
    assert (site.APP / "static/css/app.css").read_text() == body


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_every_other_address_goes_to_the_app(host: DebianHost, address: str) -> None:
    answer = host.http("GET", "/", address=address)

    assert 200 == answer.status
    assert b"/static/css/app.css" in answer.body


def test_the_stock_site_still_answers_to_other_names(host: DebianHost) -> None:
    assert b"Welcome to nginx" in host.http("GET", "/", host="other.test").body


def test_a_file_posted_to_upload_comes_back_from_media(host: DebianHost) -> None:
    host.write("/tmp/photo.txt", UPLOAD)
    form = ("-H", "Host: example.com", "-F", "file=@/tmp/photo.txt")
    posted = host.run("curl", "-s", *form, "http://127.0.0.1/upload").stdout

    fetched = host.http("GET", f"/media/{json.loads(posted)['filename']}")

    assert (200, UPLOAD) == (fetched.status, fetched.body)
    assert ["public, max-age=86400"] == fetched.lines("Cache-Control")


def test_an_upload_has_the_declared_owner_and_mode(host: DebianHost) -> None:
    host.write("/tmp/owned.txt", UPLOAD)
    form = ("-H", "Host: example.com", "-F", "file=@/tmp/owned.txt")
    host.run("curl", "-sf", *form, "http://127.0.0.1/upload")

    saved = host.testinfra.file(f"{site.MEDIA}/owned.txt")

    assert ("www-data", "www-data", 0o644) == (saved.user, saved.group, saved.mode)


@pytest.mark.parametrize(
    ("path", "user", "mode"),
    [
        (site.SITE_FILE, "root", 0o644),
        (site.UNIT_FILE, "root", 0o644),
        (site.SOCKET_FILE, "root", 0o644),
        (site.STYLESHEET, "root", 0o644),
        (f"{site.STATIC}/health.txt", "root", 0o644),
        (site.STATIC, "root", 0o755),
        (site.MEDIA, "www-data", 0o755),
        ("/var/www/myapp", "root", 0o755),
        ("/var/lib/reconcile", "root", 0o700),
    ],
)
def test_an_outside_reader_finds(host: DebianHost, path: str, user: str, mode: int) -> None:
    found = host.testinfra.file(path)

    assert found.exists
    assert (user, user, mode) == (found.user, found.group, found.mode)


def test_an_outside_reader_finds_the_site_enabled(host: DebianHost) -> None:
    link = host.testinfra.file(site.SITE_LINK)

    assert link.is_symlink
    assert site.SITE_FILE == link.linked_to


@pytest.mark.parametrize("unit", ["nginx", "gunicorn"])
def test_an_outside_reader_finds_the_service_up_and_enabled(host: DebianHost, unit: str) -> None:
    service = host.testinfra.service(unit)

    assert (True, True) == (service.is_running, service.is_enabled)


def test_gunicorn_runs_as_the_apps_user_on_its_socket(host: DebianHost) -> None:
    running = host.run("ps", "-e", "-o", "user:20=,args=").stdout.splitlines()

    assert {"www-data"} == {line.split()[0] for line in running if "gunicorn" in line}
    assert host.testinfra.socket("unix:///run/gunicorn.sock").is_listening


def test_nginx_accepts_what_is_on_the_disk_without_a_warning(host: DebianHost) -> None:
    output = host.run("nginx", "-t").stderr

    assert "test is successful" in output
    assert "[warn]" not in output


def test_no_canary_is_left(host: DebianHost) -> None:
    assert "" == host.run("find", "/var/www", "-name", "*canary*").stdout


def test_the_next_plan_is_empty(host: DebianHost) -> None:
    done = host.reconcile("plan", "--detailed-exitcode")

    assert (0, True) == (done.returncode, "No changes." in done.stdout), done.stdout + done.stderr


def test_verify_passes(host: DebianHost) -> None:
    done = host.reconcile("verify")

    assert 0 == done.returncode, done.stdout + done.stderr


def test_a_second_apply_changes_nothing(host: DebianHost) -> None:
    before = host.manifest(mtimes=True)

    done = host.reconcile("apply", "--auto-approve", "--detailed-exitcode")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert before == host.manifest(mtimes=True)


@pytest.mark.parametrize("command", [["apply", "--auto-approve"], ["plan"]])
def test_with_nothing_to_do_no_changing_system_call_is_made(
    host: DebianHost, command: list[str]
) -> None:
    trace = traced(host, "/usr/local/bin/reconcile", *command)

    assert [] == trace.changing()


def test_the_trace_would_notice_a_change(host: DebianHost) -> None:
    trace = traced(host, "sh", "-c", "touch /tmp/new; chmod 600 /tmp/new; rm /tmp/new")

    assert ["openat", "utimensat", "fchmodat", "unlinkat"] == [
        call.partition("(")[0] for call in trace.changing()
    ]
