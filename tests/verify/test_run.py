"""Probes against a real nginx and a real app."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.config.probes import Expectation, HttpProbe, UploadDirectoryProbe, UploadProbe
from reconcile.engine.checks import failed_checks
from reconcile.engine.model import Check
from reconcile.system import Host
from reconcile.system.canary import Canary
from reconcile.system.processes import as_user
from reconcile.verify.failures_before import FailuresBefore, find_error_responses, find_failures
from reconcile.verify.recorded_probes import record_probes, recorded_probes
from reconcile.verify.run_probes import run_probes
from tests.support.ports import free_port
from tests.support.wait import wait_for
from tests.verify.conftest import APP_USER, Site

pytestmark = pytest.mark.process

OK_BY_NGINX = Expectation(
    status=frozenset({200}),
    headers=(("Cache-Control", "public, max-age=604800"),),
    body="ok\n",
    served_by="nginx",
)
BOTH = ("127.0.0.1", "::1")


def get(site: Site, path: str, expect: Expectation, *addresses: str) -> HttpProbe:
    return HttpProbe(f"GET {path}", "shop", site.endpoint(*addresses), path, expect)


def canary(
    site: Site, prefix: str = "/media/", writer: str | None = APP_USER
) -> UploadDirectoryProbe:
    expect = Expectation(status=frozenset({200}), served_by="nginx")
    return UploadDirectoryProbe(
        "media", "shop", site.endpoint(*BOTH), prefix, site.media, writer, expect
    )


def upload(site: Site, then_get: str = "/media/{filename}") -> UploadProbe:
    place = {"dir": site.media, "prefix": "/media/"}
    return UploadProbe("upload", "shop", site.endpoint(), "/upload", "file", then_get, **place)


def statuses(checks: tuple[Check, ...]) -> list[str]:
    return [check.status for check in checks]


def test_a_static_file_is_shown_to_come_from_nginx_over_v4_and_v6(site: Site, host: Host) -> None:
    checks = run_probes([get(site, "/static/health.txt", OK_BY_NGINX, *BOTH)], host, retry_s=0)

    assert ["GET /static/health.txt over IPv4", "GET /static/health.txt over IPv6"] == [
        check.name for check in checks
    ]
    assert {"200 from nginx"} == {check.detail for check in checks}


def test_a_bare_prefix_is_redirected_by_nginx(site: Site, host: Host) -> None:
    expect = Expectation(status=frozenset({301}), served_by="nginx")

    assert ["pass"] == statuses(run_probes([get(site, "/static", expect)], host, retry_s=0))


def test_a_header_sent_twice_fails(site: Site, host: Host) -> None:
    [check] = run_probes([get(site, "/twice/health.txt", OK_BY_NGINX)], host, retry_s=0)

    assert ("fail", True) == (check.status, "sent 2 times" in check.detail)


def test_a_file_that_the_app_saves_is_served_and_no_canary_is_left(site: Site, host: Host) -> None:
    checks = run_probes([canary(site)], host, retry_s=0)

    assert ["pass", "pass"] == statuses(checks)
    assert checks[0].detail == f"200 from nginx, for a file written as {APP_USER}"
    assert set() == site.uploads()


def test_a_media_directory_that_the_app_cannot_write_fails(site: Site, host: Host) -> None:
    [check] = run_probes([canary(site, writer="nobody")], host, retry_s=0)

    assert ("fail", f"nobody cannot write to {site.media}: Permission denied") == (
        check.status,
        check.detail,
    )


def test_a_user_that_does_not_exist_is_a_failed_check(site: Site, host: Host) -> None:
    [check] = run_probes([canary(site, writer="no-such-user")], host, retry_s=0)

    assert "fail" == check.status


def test_an_upload_that_nginx_cannot_read_fails(site: Site, host: Host) -> None:
    os.chmod(site.media, 0o700)
    os.chown(site.media, 0, 0)
    try:
        checks = run_probes([canary(site, writer=None)], host, retry_s=0)
    finally:
        user = pwd.getpwnam(APP_USER)
        os.chown(site.media, user.pw_uid, user.pw_gid)
        os.chmod(site.media, 0o755)

    assert ["fail", "fail"] == statuses(checks)
    assert "expected 200, got 403" in checks[0].detail
    assert set() == site.uploads()


def test_a_location_that_serves_dotfiles_fails(site: Site, host: Host) -> None:
    [check, _] = run_probes([canary(site, prefix="/leaking/")], host, retry_s=0)

    assert "fail" == check.status
    assert "name begins with a dot: expected 403 or 404, got 200" in check.detail


def test_an_upload_through_the_app_is_served_and_removed(
    site: Site, running_app: None, host: Host
) -> None:
    [check] = run_probes([upload(site)], host)

    assert "pass" == check.status, check.detail
    assert set() == site.uploads()


def test_an_upload_that_is_not_served_fails_and_is_removed(
    site: Site, running_app: None, host: Host
) -> None:
    [check] = run_probes([upload(site, "/static/{filename}")], host, retry_s=0)

    assert ("fail", True) == (check.status, check.detail.startswith("uploaded, but /static/"))


def test_a_response_without_the_key_fails(site: Site, running_app: None, host: Host) -> None:
    [check] = run_probes([upload(site, "/media/{id}")], host, retry_s=0)

    assert "the app's response lacks a key of /media/{id}" in check.detail


def test_a_dead_app_is_a_failed_check(site: Site, host: Host) -> None:
    port = free_port()
    probe = HttpProbe("GET /", "shop", site.endpoint(), "/", Expectation())
    dead = UploadProbe("up", "shop", Site(site.root, port).endpoint(), "/upload", "file", "/x")

    checks = run_probes([probe, dead], host, retry_s=0)

    assert "fail" == checks[1].status
    assert "refused" in checks[1].detail


def test_a_bad_response_is_retried_until_it_is_good(site: Site, host: Host) -> None:
    late = site.root / "static" / "late.txt"
    timer = threading.Timer(0.4, late.write_text, ["ok\n"])
    timer.start()

    checks = run_probes([get(site, "/static/late.txt", OK_BY_NGINX)], host, retry_s=60)

    late.unlink()
    assert ["pass"] == statuses(checks)


def test_retries_end_at_the_deadline(site: Site, host: Host) -> None:
    started = time.monotonic()

    checks = run_probes([get(site, "/static/none.txt", OK_BY_NGINX)] * 20, host, retry_s=2)

    assert {"fail"} == set(statuses(checks))
    assert time.monotonic() - started < 20


def test_canaries_of_a_killed_run_are_removed_by_the_next(site: Site, host: Host) -> None:
    left = Canary.new()
    media = Path(site.media)
    (media / left.name).write_bytes(left.content)
    (media / left.hidden_name).write_bytes(left.content)

    run_probes([canary(site)], host, retry_s=0)

    assert set() == site.uploads()


def test_canaries_of_a_run_beside_this_one_are_left_to_it(site: Site, host: Host) -> None:
    beside = subprocess.Popen(["/bin/sleep", "300"])
    theirs = Canary(f"{beside.pid:08x}{'a' * 24}")
    (Path(site.media) / theirs.name).write_bytes(theirs.content)

    run_probes([canary(site)], host, retry_s=0)
    left = site.uploads()
    beside.kill()
    beside.wait()
    run_probes([canary(site)], host, retry_s=0)

    assert {theirs.name} == left
    assert set() == site.uploads()


@pytest.mark.parametrize("written", [0, 1, 30])
def test_a_truncated_canary_is_removed_as_well(site: Site, host: Host, written: int) -> None:
    left = Canary.new()
    (Path(site.media) / left.name).write_bytes(left.content[:written])

    run_probes([canary(site)], host, retry_s=0)

    assert set() == site.uploads()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (Canary("0" * 32).name, b"a holiday"),
        (Canary("0" * 32).name, Canary("0" * 32).content + b"a holiday"),
        (Canary("0" * 32).name, Canary("1" * 32).content),
        ("reconcile-canary-1.txt", b"reconcile canary 1\n"),
        ("holiday.txt", Canary("0" * 32).content),
    ],
)
def test_an_upload_that_resembles_a_canary_is_kept(
    site: Site, host: Host, name: str, content: bytes
) -> None:
    upload_of_someone = Path(site.media) / name
    upload_of_someone.write_bytes(content)

    run_probes([canary(site)], host, retry_s=0)

    assert content == upload_of_someone.read_bytes()


def test_a_symlink_named_like_a_canary_is_not_followed(site: Site, host: Host) -> None:
    left = Canary.new()
    target = site.root / "static" / "precious.txt"
    target.write_bytes(left.content)
    (Path(site.media) / left.name).symlink_to(target)

    run_probes([canary(site)], host, retry_s=0)

    assert left.content == target.read_bytes()
    target.unlink()


def test_an_interrupted_run_leaves_no_canary(site: Site, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from reconcile.system import Host\n"
        "from reconcile.config.probes import *\n"
        "from reconcile.verify.run_probes import run_probes\n"
        f"e = Endpoint('http', 'shop.example', {site.port}, ('127.0.0.1',))\n"
        "wrong = Expectation(status=frozenset({999}))\n"
        f"p = UploadDirectoryProbe('m', 's', e, '/media/', {site.media!r}, {APP_USER!r}, wrong)\n"
        "run_probes([p], Host(), retry_s=30)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    wait_for(site.uploads, "the upload")

    process.send_signal(2)
    process.wait(60)

    assert set() == site.uploads()


def test_a_probe_that_needs_root_is_unknown(site: Site, host: Host) -> None:
    def as_nobody() -> list[list[str]]:
        checks = run_probes([canary(site), upload(site)], Host(), retry_s=0)
        return [[check.name, check.status] for check in checks]

    assert [["media", "unknown"], ["upload", "unknown"]] == as_user(
        host.accounts.user("nobody"), as_nobody
    )
    assert set() == site.uploads()


SERVER_ERROR = Expectation(not_status=frozenset(range(500, 600)))
NOT_502 = Expectation(not_status=frozenset({502}))


def app_probe(site: Site) -> HttpProbe:
    """Nginx answers it with 502."""
    return replace(get(site, "/unreachable", SERVER_ERROR, *BOTH), minimum=NOT_502)


def test_what_failed_before_and_fails_still_is_marked(site: Site, host: Host) -> None:
    probes = [app_probe(site), get(site, "/static/health.txt", OK_BY_NGINX)]
    before = find_failures(probes, host)

    checks = before.excuse(run_probes(probes, host, retry_s=0), probes, host)

    assert [True, True, False] == [check.failed_before for check in checks]
    assert () == failed_checks(checks)


def test_what_failed_before_and_fails_worse_is_not_marked(site: Site, host: Host) -> None:
    probes = [app_probe(site)]
    # In another way, and not with a 502.
    failed = frozenset(check.name for check in run_probes(probes, host, retry_s=0))

    checks = FailuresBefore(failed).excuse(run_probes(probes, host, retry_s=0), probes, host)

    assert checks == failed_checks(checks)


def test_what_could_not_be_written_before_need_not_be_served_after(site: Site, host: Host) -> None:
    before = find_failures([canary(site, writer="no-such-user")], host)
    probes = [canary(site, prefix="/leaking/")]

    checks = before.excuse(run_probes(probes, host, retry_s=0), probes, host)

    assert () == failed_checks(checks)


def test_without_a_record_only_a_server_error_counts_as_failing_before(
    site: Site, host: Host
) -> None:
    silent = replace(app_probe(site), endpoint=replace(site.endpoint(), port=free_port()))
    static = get(site, "/none", OK_BY_NGINX)

    app = replace(app_probe(site), name="the app answers")

    found = find_error_responses([app, silent, static, canary(site)], host)

    assert {"the app answers over IPv4", "the app answers over IPv6"} == found.failed


def test_probes_are_read_back_as_they_were_recorded(site: Site, host: Host) -> None:
    probes = (app_probe(site), get(site, "/static", OK_BY_NGINX), canary(site), upload(site))

    record_probes(host.state, 7, probes)

    assert probes == recorded_probes(host.state, 7)
    assert None is recorded_probes(host.state, 8)
