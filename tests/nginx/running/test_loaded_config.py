"""What nginx serves, read off its workers; a reload is done only when that is proven."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.engine.digest import digest
from reconcile.filesystem.undo import coalesced
from reconcile.nginx.render.site_config import render_site
from reconcile.nginx.render.site_view import ListenView
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.listen_check import PortTaken
from reconcile.nginx.running.loaded_config import STALE, find_running
from reconcile.nginx.running.reload import NginxReloaded, NginxReloadFailed
from reconcile.nginx.running.zone_conflicts import zone_conflict
from reconcile.resources.nginx_live import NginxLive
from tests.support.ports import free_port
from tests.support.wait import wait_for

pytestmark = pytest.mark.process


@pytest.fixture
def live(world, host):
    """The running canonical site, and the resource that says so."""
    newest = world.write().stat().st_ctime
    # Closer than the grain of start times counts as older.
    wait_for(lambda: time.time() > newest + 0.02, "the clock")
    world.nginx.start()
    wait_for(lambda: find_running(discover(host)), "nginx")
    return wanted(world)


def wanted(world) -> NginxLive:
    text = render_site(world.view, "1.22.1")
    path = str(world.nginx.root / "etc/sites-enabled/myapp.conf")
    serves = {path: digest(text)}
    config = str(world.nginx.config)
    return NginxLive(config=config, serves=serves, current=True, rewrites=())


def test_a_worker_is_found_from_the_moment_at_which_nginx_has_its_pid_file(world, host):
    world.write()
    with subprocess.Popen([world.nginx.binary, "-c", str(world.nginx.config)]) as starter:
        world.nginx.started = True
        world.nginx.wait_for_pid()
        now = find_running(discover(host))
        starter.wait()

    assert now is not None
    assert now.workers


def test_workers_newer_than_every_file_serve_what_is_on_the_disk(live, host):
    assert live == live.observe(host)


def test_a_file_that_is_newer_than_the_workers_is_not_served(world, live, host):
    [path] = live.serves
    Path(path).write_bytes(Path(path).read_bytes())

    seen = live.observe(host)

    assert (False, {path: STALE}) == (seen.current, seen.serves)


def test_a_foreign_file_that_came_or_went_makes_the_workers_old(world, live, host):
    other = world.nginx.site("other", "server { listen 127.0.0.1:1; }")
    other.unlink()

    seen = live.observe(host)

    assert (False, live.serves) == (seen.current, seen.serves)


def test_put_has_the_workers_serve_the_disk_and_returns_when_they_do(world, live, host):
    world.write(max_upload_bytes=10)
    after = wanted(world)

    after.apply(host, live)

    assert after == after.observe(host)
    assert 413 == world.ask("/", "POST", body=b"x" * 11).status


def test_put_does_not_reload_what_is_served_already(world, live, host):
    before = find_running(discover(host))

    live.apply(host, live)

    assert before == find_running(discover(host))


def test_workers_of_a_proven_reload_are_known_though_the_files_are_touched(world, live, host):
    live.apply(host, live)
    [path] = live.serves
    os.utime(path)
    os.utime(world.nginx.config)

    assert live == live.observe(host)


def test_a_site_that_comes_after_a_proven_reload_is_not_taken_for_loaded(world, live, host):
    live.apply(host, live)
    [path] = live.serves
    later = str(world.nginx.site("later", Path(path).read_text()))
    both = replace(live, serves={**live.serves, later: "its digest"})

    assert live.serves == both.observe(host).serves


def test_after_a_proven_reload_a_hand_edit_is_the_files_drift_and_not_nginxs(world, live, host):
    live.apply(host, live)
    [path] = live.serves
    Path(path).write_bytes(Path(path).read_bytes() + b"# by hand\n")

    assert live == live.observe(host)


def test_a_foreign_reload_of_other_text_shows_though_the_file_is_put_back(world, live, host):
    live.apply(host, live)
    [path] = live.serves
    text = Path(path).read_bytes()
    Path(path).write_bytes(text.replace(b"604800", b"1"))
    reload_by_hand(world, host)
    Path(path).write_bytes(text)

    assert {path: STALE} == live.observe(host).serves


def reload_by_hand(world, host) -> None:
    before = set(find_running(discover(host)).workers)
    os.kill(world.nginx.master, signal.SIGHUP)
    wait_for(
        lambda: (now := find_running(discover(host))) and not before & set(now.workers),
        "workers after the reload",
    )


def test_an_nginx_that_does_not_run_serves_nothing_old(world, live, host):
    world.nginx.stop()

    assert live == live.observe(host)


def test_a_reload_that_nginx_ignores_is_an_error_with_nginxs_words(world, live, host):
    world.nginx.site("broken", "nonsense on;")

    with pytest.raises(NginxReloadFailed) as failed:
        live.apply(host, live)

    assert 'unknown directive "nonsense"' in failed.value.why


def test_what_another_nginx_logs_during_a_reload_is_no_failure(world, live, host, monkeypatch):
    world.write(max_upload_bytes=10)
    reload = type(host.services).reload

    def noisy(services, unit: str) -> None:
        with (world.nginx.root / "log/error.log").open("a") as log:
            log.write('2026/01/01 00:00:00 [emerg] 1#1: unknown directive "nonsense"\n')
        reload(services, unit)

    monkeypatch.setattr(type(host.services), "reload", noisy)

    wanted(world).apply(host, live)

    assert wanted(world) == wanted(world).observe(host)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit_req_zone $uri zone=z:1m rate=1r/s;", "limit_req_zone $host zone=z:1m rate=1r/s;"),
        ("limit_conn_zone $uri zone=z:1m;", "limit_conn_zone $host zone=z:1m;"),
        ("proxy_cache_path {0}/a keys_zone=z:1m;", "proxy_cache_path {0}/b keys_zone=z:1m;"),
        (
            "proxy_cache_path {0}/a keys_zone=z:1m;",
            "proxy_cache_path {0}/a levels=1 keys_zone=z:1m;",
        ),
    ],
)
def test_a_zone_that_changes_under_its_name_takes_a_restart_and_gets_it(
    world, live, host, old: str, new: str
):
    master = world.nginx.master
    world.nginx.site("zone", old.format(world.nginx.root))
    live.apply(host, live)
    assert master == world.nginx.master
    loaded = discover(host).tree
    world.nginx.site("zone", new.format(world.nginx.root))

    announced = zone_conflict(loaded, discover(host).tree)
    live.apply(host, live)

    assert announced.startswith("the zone z of ")
    assert master != world.nginx.master
    assert live == live.observe(host)


def test_a_zone_of_another_size_takes_no_restart(world, live, host):
    master = world.nginx.master
    world.nginx.site("zone", "limit_conn_zone $uri zone=z:1m;")
    live.apply(host, live)
    loaded = discover(host).tree
    world.nginx.site("zone", "limit_conn_zone $host zone=z:2m;")

    live.apply(host, live)

    assert ("", master) == (zone_conflict(loaded, discover(host).tree), world.nginx.master)


def test_old_workers_that_still_answer_a_slow_visitor_are_no_failure(world, live, host):
    with socket.create_connection(("127.0.0.1", world.port)) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        # Nothing shows when nginx has read a part of a request.
        time.sleep(0.1)
        world.write(max_upload_bytes=10)

        wanted(world).apply(host, live)

        assert wanted(world) == wanted(world).observe(host)


def test_a_site_that_another_server_answers_for_is_not_taken_for_live(
    world, live, host, monkeypatch
):
    monkeypatch.setattr("reconcile.nginx.running.reload.DEADLINE_S", 1.0)
    first = f"server {{ listen {world.port}; server_name example.com; return 418; }}"
    rival = world.nginx.site("a-rival", first)

    with pytest.raises(NginxReloadFailed) as failed:
        live.apply(host, live)

    assert "status 418" in failed.value.why
    assert f"nginx uses {rival}:1" in failed.value.why


def test_undo_reloads_what_is_back_on_the_disk(world, live, host):
    [path] = live.serves
    text = Path(path).read_bytes()
    Path(path).write_bytes(text.replace(b"604800", b"1"))
    reload_by_hand(world, host)
    assert ["public, max-age=1"] == world.ask("/static/health.txt").all("Cache-Control")
    Path(path).write_bytes(text)

    assert "" == NginxReloaded(str(world.nginx.config)).undo(host)

    assert ["public, max-age=604800"] == world.ask("/static/health.txt").all("Cache-Control")
    assert live == live.observe(host)


def test_the_intention_is_journaled_before_the_reload(world, live, host):
    class Recorder:
        def __init__(self) -> None:
            self.told = []

        def record_undo(self, *undos) -> None:
            self.told += [(undo, find_running(discover(host)).workers) for undo in undos]

    host.recorder = Recorder()
    workers = find_running(discover(host)).workers
    world.nginx.site("other", "server { listen 127.0.0.1:1; }").unlink()

    live.apply(host, live)

    assert [(NginxReloaded(str(world.nginx.config)), workers)] == host.recorder.told
    assert workers != find_running(discover(host)).workers


def test_from_every_address_to_one_of_them_takes_a_restart_and_gets_it(world, live, host):
    world.write(listens=(ListenView("127.0.0.1", world.port),))
    master = world.nginx.master
    after = wanted(world)

    after.apply(host, live)

    assert master != world.nginx.master
    assert after == after.observe(host)
    with pytest.raises(ConnectionRefusedError):
        world.ask("/", address="::1")


def test_a_port_of_another_process_is_refused_with_its_name(world, live, host):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        world.write(listens=(*world.view.listens, ListenView("", port)))

        with pytest.raises(PortTaken) as refused:
            wanted(world).apply(host, live)

    assert f"(pid {os.getpid()}) on 127.0.0.1:{port} uses it" in refused.value.why


def test_a_site_with_tls_is_proven_on_both_of_its_ports(with_tls, live, host, asked):
    with_tls.write(max_upload_bytes=10)

    wanted(with_tls).apply(host, live)

    assert {with_tls.port, with_tls.tls_port} == {target.port for target in asked}
    assert {True, False} == {target.tls for target in asked}


@pytest.fixture
def asked(host, monkeypatch) -> list:
    """Every target that is asked over HTTP, as it is asked for real."""
    targets = []
    request = host.http.request

    def noted(target, *arguments, **more):
        targets.append(target)
        return request(target, *arguments, **more)

    monkeypatch.setattr(host.http, "request", noted)
    return targets


@pytest.mark.parametrize("proven", [False, True])
def test_a_certificate_that_was_renewed_without_a_reload_is_not_served(
    with_tls, live, host, proven
):
    if proven:
        live.apply(host, live)
    certificate = Path(with_tls.view.tls.certificate)
    certificate.write_bytes(certificate.read_bytes() + b"\n")

    assert not live.observe(host).current

    live.apply(host, live)

    assert live == live.observe(host)


def test_a_site_whose_own_directives_answer_first_is_proven_by_its_workers(world, live, host):
    world.write(extra="return 418;")

    wanted(world).apply(host, live)

    assert 418 == world.ask("/").status


def test_old_news_in_the_error_log_is_no_failure(world, live, host):
    with (world.nginx.root / "log/error.log").open("a") as log:
        log.write("2026/01/01 00:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed\n")
    world.write(max_upload_bytes=10)

    wanted(world).apply(host, live)

    assert wanted(world) == wanted(world).observe(host)


def test_without_a_service_manager_nothing_is_stale(world, live, host):
    other = replace(host.settings, service_manager="none")
    image = type(host)(other)
    world.nginx.site("other", "server { listen 127.0.0.1:1; }")

    assert live == live.observe(image)


def accepts_ipv4(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


DUAL = "server {{ listen [::]:{port} ipv6only=off; return 204; }}"
APART = "server {{ listen {port}; listen [::]:{port}; return 204; }}"
IPV6_ALONE = "server {{ listen [::]:{port}; return 204; }}"


@pytest.mark.parametrize(
    ("old", "new", "ipv4"),
    [(APART, DUAL, True), (DUAL, APART, True), (DUAL, IPV6_ALONE, False), (IPV6_ALONE, DUAL, True)],
    ids=["apart to dual", "dual to apart", "dual to IPv6", "IPv6 to dual"],
)
def test_ipv6only_that_changes_takes_a_restart_and_gets_it(
    world, live, host, old: str, new: str, ipv4: bool
):
    port = free_port()
    world.nginx.site("dual", old.format(port=port))
    live.apply(host, live)
    world.nginx.site("dual", new.format(port=port))

    live.apply(host, live)

    assert ipv4 == accepts_ipv4(port)


def test_the_undo_of_a_restart_is_a_restart(world, live, host):
    master = world.nginx.master

    NginxReloaded(str(world.nginx.config), restarted=True).undo(host)

    assert master != world.nginx.master
    assert 200 == world.ask("/static/health.txt").status


def test_a_restart_among_reloads_is_undone_by_one_restart():
    restarted = NginxReloaded("c", restarted=True)

    assert [restarted] == [*coalesced([NginxReloaded("c"), restarted, NginxReloaded("c")])]
