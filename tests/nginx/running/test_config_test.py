"""Nginx is asked about the planned tree before anything changes, and nothing of it leaks."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.engine.model import Change, Position
from reconcile.filesystem.planned_entry import ABSENT, Link
from reconcile.nginx.render.site_config import render_site
from reconcile.nginx.running.config_test import AcceptedConfig, ConfigTest, NginxRejected
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.listen_check import PortTaken
from reconcile.resources.file import File
from reconcile.resources.nginx_live import NginxLive
from reconcile.resources.nginx_preflight import ServerNameTaken
from reconcile.system.accounts import Accounts
from reconcile.system.overlay_namespace import NoNamespace
from reconcile.system.processes import as_user

pytestmark = pytest.mark.process

GOOD = b"server { listen 127.0.0.1:48999; server_name good.example; }\n"
PR_SET_DUMPABLE = 4
BAD = b"# one\nbogus on;\n"


def manifest(*roots: Path) -> dict[str, tuple]:
    """Everything below the roots: kind, mode, owner, times, and content or target."""
    found = {}
    for root in roots:
        for path in (root, *root.rglob("*")):
            status = path.lstat()
            content = os.readlink(path) if path.is_symlink() else None
            if stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            times = (status.st_mtime_ns, status.st_ctime_ns)
            found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, *times, content)
    return found


@pytest.fixture(params=["private namespace", "copy"])
def way(request, monkeypatch) -> str:
    """Both ways of asking: the usual one, and that of a host without namespaces."""
    if request.param == "copy":

        def none_here(*arguments: object, **options: object) -> None:
            raise NoNamespace("no private mount namespace is available", "EPERM")

        monkeypatch.setattr("reconcile.system.overlay_namespace.run_in_view", none_here)
    return request.param


def validate(nginx, planned) -> AcceptedConfig:
    return ConfigTest(nginx, planned).validate()


def sites(nginx, name: str) -> str:
    return str(nginx.root / f"etc/sites-enabled/{name}")


def test_a_good_plan_passes_and_leaves_no_trace(nginx, host, way):
    before = manifest(nginx.root)

    validated = validate(discover(host), {sites(nginx, "a.conf"): GOOD})

    assert before == manifest(nginx.root)
    assert sites(nginx, "a.conf") in validated.tree.files
    assert (way == "copy") == bool(validated.notes)


def test_the_canonical_site_passes(world, host, way):
    plan = {sites(world.nginx, "myapp.conf"): render_site(world.view, "1.22.1")}

    assert validate(discover(host), plan)


def test_a_bad_plan_is_refused_in_nginxs_words_and_leaves_no_trace(nginx, host, way):
    before = manifest(nginx.root)

    with pytest.raises(NginxRejected) as refused:
        validate(discover(host), {sites(nginx, "a.conf"): BAD})

    assert before == manifest(nginx.root)
    assert 'unknown directive "bogus"' == refused.value.why
    assert (sites(nginx, "a.conf"), 2) == (refused.value.file, refused.value.line)
    assert "planned" in refused.value.what


def test_an_already_invalid_configuration_is_reported_as_such(nginx, host, way):
    nginx.site("foreign", BAD)

    with pytest.raises(NginxRejected) as refused:
        validate(discover(host), {sites(nginx, "a.conf"): GOOD})

    place = f"{sites(nginx, 'foreign.conf')}:2"
    assert f"the existing nginx configuration is already invalid: {place}" == refused.value.what


def test_a_plan_that_fixes_a_broken_configuration_passes(nginx, host, way):
    nginx.site("foreign", BAD)

    assert validate(discover(host), {sites(nginx, "foreign.conf"): ABSENT})


def test_files_that_include_each_other_are_refused(nginx, host, way):
    own = sites(nginx, "a.conf")

    with pytest.raises(NginxRejected):
        validate(discover(host), {own: f"include {own};".encode()})


def test_a_planned_link_is_read_through_to_its_planned_file(nginx, host, way):
    target = str(nginx.root / "etc/sites-available/a.conf")

    with pytest.raises(NginxRejected) as refused:
        validate(discover(host), {target: BAD, sites(nginx, "a.conf"): Link(target)})

    assert sites(nginx, "a.conf") == refused.value.file


def test_a_changed_file_is_read_through_the_link_that_is_there(nginx, host, way):
    target = nginx.root / "etc/sites-available/a.conf"
    target.write_bytes(GOOD)
    Path(sites(nginx, "a.conf")).symlink_to("../sites-available/a.conf")

    with pytest.raises(NginxRejected) as refused:
        validate(discover(host), {str(target): BAD})

    assert (sites(nginx, "a.conf"), 2) == (refused.value.file, refused.value.line)


def test_an_included_folder_elsewhere_is_part_of_the_plan(nginx, host, place, way):
    (place / "more").mkdir()
    (place / "real").mkdir()
    nginx.site("more", f"include {place}/more/*.conf;")
    (place / "more/old.conf").write_bytes(BAD)
    (place / "more/link.conf").symlink_to("../real/linked.conf")
    (place / "real/linked.conf").write_bytes(BAD)
    before = manifest(place)

    validate(
        discover(host),
        {
            f"{place}/more/old.conf": ABSENT,
            f"{place}/more/new.conf": GOOD,
            f"{place}/real/linked.conf": b"# mended\n",
        },
    )

    assert before == manifest(place)


def test_a_planned_certificate_outside_the_configuration_is_found(with_tls, host):
    world = with_tls
    certificate, key = (Path(path) for path in (world.view.tls.certificate, world.view.tls.key))
    plan = {str(path): path.read_bytes() for path in (certificate, key)}
    certificate.unlink()
    key.unlink()
    plan[sites(world.nginx, "myapp.conf")] = render_site(world.view, "1.22.1")
    before = manifest(world.root)

    assert validate(discover(host), plan)

    assert before == manifest(world.root)


def test_a_log_that_is_a_link_of_the_web_user_reaches_nothing(nginx, host, place, way):
    victim = place / "victim"
    logs = nginx.root / "log"
    os.chown(logs, 33, 33)
    for name in ("error.log", "access.log"):
        (logs / name).symlink_to(victim)
        os.lchown(logs / name, 33, 33)
    before = manifest(place)

    validate(discover(host), {sites(nginx, "a.conf"): GOOD})

    assert before == manifest(place)
    assert not victim.exists()


def test_what_a_directive_that_we_do_not_know_writes_stays_inside_too(nginx, host, place):
    log = place / "unknown.log"
    site = f"server {{ listen 127.0.0.1:1; error_log {log}; access_log {log}; }}"
    before = manifest(place)

    validate(discover(host), {sites(nginx, "a.conf"): site.encode()})

    assert before == manifest(place)


def test_stock_debian_is_left_as_it_was(tmp_path):
    from reconcile.system import Host

    roots = [Path(path) for path in ("/etc/nginx", "/var/log/nginx", "/var/lib/nginx")]
    pid = Path("/run/nginx.pid")
    before = (manifest(*roots), pid.exists())

    validate(discover(Host()), {"/etc/nginx/conf.d/reconcile-test.conf": GOOD})

    assert before == (manifest(*roots), pid.exists())


def test_a_running_nginx_on_the_same_ports_does_not_mind(world, host):
    world.serve()
    workers = (world.root / "nginx/run/nginx.pid").read_text()

    assert validate(discover(host), {sites(world.nginx, "a.conf"): GOOD})

    assert b"ok\n" == world.ask("/static/health.txt").body
    assert workers == (world.root / "nginx/run/nginx.pid").read_text()


@pytest.mark.parametrize(
    ("text", "said"), [(GOOD, "passed ()"), (BAD, 'refused unknown directive "bogus"')]
)
def test_an_ordinary_user_gets_the_same_exact_answer(nginx, host, text, said):
    nobody = Accounts().user("nobody")
    for path in (nginx.root, *nginx.root.rglob("*")):
        os.chown(path, nobody.uid, nobody.gid)
    before = manifest(nginx.root)

    def asked() -> str:
        # A user who was logged in owns /proc/self; a forked child that changed its ids does not.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
        try:
            notes = validate(discover(host), {sites(nginx, "a.conf"): text}).notes
        except NginxRejected as refused:
            return f"refused {refused.why}"
        return f"passed {notes}"

    assert said == as_user(nobody, asked)
    assert before == manifest(nginx.root)


@pytest.fixture
def rehearsed(world, host):
    """Rehearse a plan for the site as nginx_live does in an apply; an error passes through."""

    def rehearse(text: bytes) -> Sequence[str]:
        path = sites(world.nginx, "myapp.conf")
        place = Position("reconcile.yaml", 14)
        file = File(path=path, content=text)
        live = NginxLive(config=str(world.nginx.config), serves={path: "x"}, current=True)
        return live.preflight(host, [Change(file.ref, None, file, positions=(place,))])

    return rehearse


def test_a_test_of_a_copy_is_reported_as_such(world, rehearsed, way):
    told = "".join(rehearsed(render_site(world.view, "1.22.1")))

    assert (way == "copy") == ("nginx tested a copy of its configuration" in told)


def test_a_refusal_names_the_place_in_the_yaml(world, rehearsed):
    text = render_site(replace(world.view, extra="bogus on;"), "1.22.1")

    with pytest.raises(NginxRejected) as refused:
        rehearsed(text)

    assert "reconcile.yaml:14" in refused.value.fix
    assert 'unknown directive "bogus"' == refused.value.why


def test_a_name_that_another_site_would_keep_is_refused(world, rehearsed):
    text = f"server {{ listen {world.port}; server_name Example.com; }}"
    rival = world.nginx.site("a-rival", text)

    with pytest.raises(ServerNameTaken) as refused:
        rehearsed(render_site(world.view, "1.22.1"))

    assert f"nginx uses {rival}:1" in refused.value.why


def test_a_port_that_another_config_test_holds_for_a_moment_is_free(world, rehearsed):
    held = socket.create_server(("127.0.0.1", world.port))
    threading.Timer(0.15, held.close).start()

    rehearsed(render_site(world.view, "1.22.1"))

    assert -1 == held.fileno()


def test_a_port_that_another_process_holds_is_refused(world, rehearsed):
    with socket.create_server(("127.0.0.1", world.port)), pytest.raises(PortTaken) as refused:
        rehearsed(render_site(world.view, "1.22.1"))

    assert f"(pid {os.getpid()}) on 127.0.0.1:{world.port} uses it" in refused.value.why


def test_changes_that_nginx_does_not_read_are_not_rehearsed(world, host):
    world.nginx.site("broken", BAD)
    file = File(path=str(world.root / "static/x.css"), content=b"x")
    live = NginxLive(config=str(world.nginx.config), serves={}, current=True)

    live.preflight(host, [Change(file.ref, None, file)])
