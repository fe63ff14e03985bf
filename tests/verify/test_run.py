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

from reconcile.engine.model import Check
from reconcile.system import Host
from reconcile.system.canary import Canary
from reconcile.system.processes import as_user
from reconcile.verify.model import Expectation, HttpProbe, MediaCanary, UploadProbe
from reconcile.verify.run import only_bearable, verify
from tests.verify.conftest import APP_USER, Site, free_port

OK_BY_NGINX = Expectation(
    status=frozenset({200}),
    headers=(("Cache-Control", "public, max-age=604800"),),
    body="ok\n",
    served_by="nginx",
)
BOTH = ("127.0.0.1", "::1")


def get(site: Site, path: str, expect: Expectation, *addresses: str) -> HttpProbe:
    return HttpProbe(f"GET {path}", "shop", site.endpoint(*addresses), path, expect)


def canary(site: Site, prefix: str = "/media/", writer: str | None = APP_USER) -> MediaCanary:
    expect = Expectation(status=frozenset({200}), served_by="nginx")
    return MediaCanary("media", "shop", site.endpoint(*BOTH), prefix, site.media, writer, expect)


def upload(site: Site, then_get: str = "/media/{filename}") -> UploadProbe:
    place = {"dir": site.media, "prefix": "/media/"}
    return UploadProbe("upload", "shop", site.endpoint(), "/upload", "file", then_get, **place)


def statuses(checks: tuple[Check, ...]) -> list[str]:
    return [check.status for check in checks]


def test_a_static_file_is_proved_to_come_from_nginx_over_v4_and_v6(site: Site, host: Host) -> None:
    checks = verify([get(site, "/static/health.txt", OK_BY_NGINX, *BOTH)], host, settle_s=0)

    assert ["GET /static/health.txt over IPv4", "GET /static/health.txt over IPv6"] == [
        check.name for check in checks
    ]
    assert {"200 by nginx"} == {check.detail for check in checks}


def test_a_bare_prefix_is_redirected_by_nginx(site: Site, host: Host) -> None:
    expect = Expectation(status=frozenset({301}), served_by="nginx")

    assert ["pass"] == statuses(verify([get(site, "/static", expect)], host, settle_s=0))


def test_two_cache_headers_are_one_too_many(site: Site, host: Host) -> None:
    [check] = verify([get(site, "/twice/health.txt", OK_BY_NGINX)], host, settle_s=0)

    assert ("fail", True) == (check.status, "came 2 times" in check.detail)


def test_what_the_app_saves_is_loaded_and_no_canary_stays(site: Site, host: Host) -> None:
    checks = verify([canary(site)], host, settle_s=0)

    assert ["pass", "pass"] == statuses(checks)
    assert checks[0].detail == f"200 by nginx, written as {APP_USER} and loaded"
    assert set() == site.uploads()


def test_a_media_directory_the_app_may_not_write_is_found(site: Site, host: Host) -> None:
    [check] = verify([canary(site, writer="nobody")], host, settle_s=0)

    assert ("fail", f"nobody cannot write to {site.media}: Permission denied") == (
        check.status,
        check.detail,
    )


def test_a_user_that_does_not_exist_is_a_failed_check(site: Site, host: Host) -> None:
    [check] = verify([canary(site, writer="no-such-user")], host, settle_s=0)

    assert "fail" == check.status


def test_an_upload_that_nginx_may_not_read_is_found(site: Site, host: Host) -> None:
    os.chmod(site.media, 0o700)
    os.chown(site.media, 0, 0)
    try:
        checks = verify([canary(site, writer=None)], host, settle_s=0)
    finally:
        user = pwd.getpwnam(APP_USER)
        os.chown(site.media, user.pw_uid, user.pw_gid)
        os.chmod(site.media, 0o755)

    assert ["fail", "fail"] == statuses(checks)
    assert "403 instead of 200" in checks[0].detail
    assert set() == site.uploads()


def test_a_location_that_shows_hidden_files_is_found(site: Site, host: Host) -> None:
    [check, _] = verify([canary(site, prefix="/leaking/")], host, settle_s=0)

    assert "fail" == check.status
    assert "a name that begins with a dot: 200" in check.detail


def test_an_upload_through_the_app_comes_back_and_is_removed(
    site: Site, running_app: None, host: Host
) -> None:
    [check] = verify([upload(site)], host)

    assert "pass" == check.status, check.detail
    assert set() == site.uploads()


def test_uploads_that_are_served_elsewhere_are_found_and_removed(
    site: Site, running_app: None, host: Host
) -> None:
    [check] = verify([upload(site, "/static/{filename}")], host, settle_s=0)

    assert ("fail", True) == (check.status, check.detail.startswith("uploaded, but /static/"))


def test_an_app_that_answers_without_the_key_is_told(
    site: Site, running_app: None, host: Host
) -> None:
    [check] = verify([upload(site, "/media/{id}")], host, settle_s=0)

    assert "/media/{id} needs more than the app told" in check.detail


def test_a_dead_app_is_a_failed_check(site: Site, host: Host) -> None:
    port = free_port()
    probe = HttpProbe("GET /", "shop", site.endpoint(), "/", Expectation())
    dead = UploadProbe("up", "shop", Site(site.root, port).endpoint(), "/upload", "file", "/x")

    checks = verify([probe, dead], host, settle_s=0)

    assert "fail" == checks[1].status
    assert "refused" in checks[1].detail


def test_a_bad_answer_is_asked_again_until_it_has_settled(site: Site, host: Host) -> None:
    late = site.root / "static" / "late.txt"
    timer = threading.Timer(0.4, late.write_text, ["ok\n"])
    timer.start()

    checks = verify([get(site, "/static/late.txt", OK_BY_NGINX)], host, settle_s=5)

    late.unlink()
    assert ["pass"] == statuses(checks)


def test_a_bad_answer_that_stays_is_not_asked_for_ever(site: Site, host: Host) -> None:
    started = time.monotonic()

    checks = verify([get(site, "/static/none.txt", OK_BY_NGINX)] * 20, host, settle_s=0.5)

    assert {"fail"} == set(statuses(checks))
    assert time.monotonic() - started < 5


def test_canaries_of_a_run_that_was_killed_are_swept_by_the_next(site: Site, host: Host) -> None:
    left = Canary.new()
    media = Path(site.media)
    (media / left.name).write_bytes(left.content)
    (media / left.hidden_name).write_bytes(left.content)

    verify([canary(site)], host, settle_s=0)

    assert set() == site.uploads()


@pytest.mark.parametrize("written", [0, 1, 30])
def test_a_canary_that_was_cut_short_is_swept_as_well(site: Site, host: Host, written: int) -> None:
    left = Canary.new()
    (Path(site.media) / left.name).write_bytes(left.content[:written])

    verify([canary(site)], host, settle_s=0)

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
def test_an_upload_that_only_looks_like_a_canary_stays(
    site: Site, host: Host, name: str, content: bytes
) -> None:
    upload_of_someone = Path(site.media) / name
    upload_of_someone.write_bytes(content)

    verify([canary(site)], host, settle_s=0)

    assert content == upload_of_someone.read_bytes()


def test_a_link_under_the_name_of_a_canary_leads_nowhere(site: Site, host: Host) -> None:
    left = Canary.new()
    target = site.root / "static" / "precious.txt"
    target.write_bytes(left.content)
    (Path(site.media) / left.name).symlink_to(target)

    verify([canary(site)], host, settle_s=0)

    assert left.content == target.read_bytes()
    target.unlink()


def test_no_canary_stays_when_the_run_is_interrupted(site: Site, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from reconcile.system import Host\n"
        "from reconcile.verify.model import *\n"
        "from reconcile.verify.run import verify\n"
        f"e = Endpoint('http', 'shop.example', {site.port}, ('127.0.0.1',))\n"
        "wrong = Expectation(status=frozenset({999}))\n"
        f"p = MediaCanary('m', 's', e, '/media/', {site.media!r}, {APP_USER!r}, wrong)\n"
        "verify([p], Host(), settle_s=30)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not site.uploads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert site.uploads()

    process.send_signal(2)
    process.wait(15)

    assert set() == site.uploads()


def test_what_only_root_may_do_is_unknown_and_not_failed(site: Site, host: Host) -> None:
    def as_nobody() -> list[list[str]]:
        checks = verify([canary(site), upload(site)], Host(), settle_s=0)
        return [[check.name, check.status] for check in checks]

    assert [["media", "unknown"], ["upload", "unknown"]] == as_user(
        host.accounts.user("nobody"), as_nobody
    )
    assert set() == site.uploads()


def test_only_what_is_bearable_and_no_better_is_borne(site: Site, host: Host) -> None:
    bearable = Expectation(not_status=frozenset({502}))
    asked = {
        "good": Expectation(status=frozenset({200})),
        "bearable": Expectation(not_status=frozenset({200})),
    }
    probes = [
        replace(get(site, "/static/health.txt", expect), name=name, bearable=bearable)
        for name, expect in asked.items()
    ]
    no_app = replace(get(site, "/", Expectation(status=frozenset({200}))), bearable=bearable)

    borne = only_bearable([*probes, no_app, canary(site)], host)

    assert (probes[1],) == borne
    assert bearable == probes[1].borne.expect
