"""Reloads on a booted Debian host, where systemd says that all went well."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.lab.manifest import differences
from tests.support import guide_site as site
from tests.support.nginx_reload import reload_nginx

pytestmark = pytest.mark.host

YAML = """
version: 1
sites:
  shop:
    server_names: [shop.example]
    LISTEN
    locations:
      /private/: {role: private, dir: /srv/private}
    extra: |
      location = /who { return 200 shop; }
"""


def with_listen(listen: str) -> str:
    return YAML.replace("LISTEN", f"listen: {listen}")


def deploy(host: DebianHost, listen: str) -> None:
    host.write("/etc/reconcile/reconcile.yaml", with_listen(listen))


def served(host: DebianHost, port: int, address: str = "127.0.0.1") -> bytes:
    return host.http("GET", "/who", host="shop.example", port=port, address=address).body


def master(host: DebianHost) -> str:
    return host.read("/run/nginx.pid").decode().strip()


def test_a_reload_is_enough_where_nginx_can_bind_all(debian_host: DebianHost) -> None:
    before = master(debian_host)
    deploy(debian_host, "[80, 8080]")

    site.apply(debian_host)

    assert before == master(debian_host)
    assert b"shop" == served(debian_host, 8080)
    assert b"shop" == served(debian_host, 8080, "::1")
    assert 0 == site.plan(debian_host).exit_code


def test_a_busy_port_is_refused_with_its_holder_and_nothing_changes(
    debian_host: DebianHost,
) -> None:
    host = debian_host
    host.run("systemd-run", "--unit=hog", "python3", "-m", "http.server", "-d", "/srv", "8080")
    host.run("sh", "-c", "until curl -s -o /dev/null http://127.0.0.1:8080/; do sleep 0.05; done")
    deploy(host, "[8080]")
    before = host.manifest(mtimes=True)

    planned = host.reconcile("plan")
    done = host.reconcile("apply", "--auto-approve")

    assert 1 == planned.returncode
    assert 3 == done.returncode
    for refused in (planned, done):
        assert "nginx cannot listen on 0.0.0.0:8080" in refused.stderr
        assert "python3 (pid" in refused.stderr
    assert [] == list(differences(before, host.manifest(mtimes=True)))


def test_from_every_address_to_one_is_a_restart(debian_host: DebianHost) -> None:
    host = debian_host
    deploy(host, "[8080]")
    site.apply(host)
    before = master(host)
    deploy(host, '["127.0.0.1:8080"]')

    [live] = [c for c in site.plan(host).document["resource_changes"] if c["kind"] == "nginx_live"]
    site.apply(host)

    assert "restart, a reload is not enough: nginx itself listens on" in live["because"]
    assert before != master(host)
    listening = host.run("ss", "-Hltn", "sport = :8080").stdout.split()
    assert "127.0.0.1:8080" in listening
    assert 0 == site.plan(host).exit_code


def test_a_broken_foreign_include_is_reported_as_already_invalid(
    debian_host: DebianHost,
) -> None:
    host = debian_host
    host.write("/etc/nginx/conf.d/foreign.conf", "# theirs\nnonsense on;\n")
    deploy(host, "[80]")
    before = host.manifest(mtimes=True)

    done = host.reconcile("apply", "--auto-approve")

    assert 1 == done.returncode
    assert "already invalid: /etc/nginx/conf.d/foreign.conf:2" in done.stderr
    assert [] == list(differences(before, host.manifest(mtimes=True)))


def test_an_include_cycle_is_named_and_nothing_changes(debian_host: DebianHost) -> None:
    host = debian_host
    host.write("/etc/nginx/conf.d/round.conf", "include /etc/nginx/conf.d/round.conf;\n")
    deploy(host, "[80]")
    before = host.manifest(mtimes=True)

    done = host.reconcile("apply", "--auto-approve")

    assert 1 == done.returncode
    assert "/etc/nginx/conf.d/round.conf" in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(differences(before, host.manifest(mtimes=True)))


def test_a_reload_that_nginx_ignores_is_rolled_back(debian_host: DebianHost) -> None:
    host = debian_host
    deploy(host, "[80]")
    site.apply(host)
    before = host.manifest()
    # A reload that says yes and does nothing, as a broken unit or a hung master would.
    drop_in = "[Service]\nExecReload=\nExecReload=/bin/true\n"
    host.write("/etc/systemd/system/nginx.service.d/reload.conf", drop_in)
    host.run("systemctl", "daemon-reload")
    deploy(host, "[80, 8080]")

    done = host.reconcile("apply", "--auto-approve")

    assert 3 == done.returncode
    assert "workers from before the reload still serve" in done.stderr + done.stdout
    after = host.manifest()
    ignored = ("/etc/reconcile", "/etc/systemd")
    changed = [line for line in differences(before, after) if not any(i in line for i in ignored)]
    assert [] == changed
    assert b"shop" == served(host, 80)


def test_an_outdated_nginx_is_the_only_change(
    debian_host: DebianHost,
) -> None:
    host = debian_host
    deploy(host, "[80]")
    site.apply(host)
    path = "/etc/nginx/sites-available/shop.conf"
    text = host.read(path)
    host.write(path, text.replace(b"200 shop", b"200 other"))
    reload_nginx(host)
    host.write(path, text)

    planned = site.plan(host)
    site.apply(host)

    assert {"nginx_live:/etc/nginx/nginx.conf"} == planned.addresses
    assert b"shop" == served(host, 80)
    assert 0 == site.plan(host).exit_code


def test_without_namespaces_nginx_is_still_asked_and_nothing_changes(
    debian_host: DebianHost,
) -> None:
    host = debian_host
    host.write("/etc/reconcile/reconcile.yaml", with_listen("[80]") + "      bogus on;\n")
    confined = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    before = host.manifest(mtimes=True)

    done = host.run(
        *confined,
        "/usr/local/bin/reconcile",
        "apply",
        "--auto-approve",
        cwd="/etc/reconcile",
        check=False,
    )

    assert 1 == done.returncode
    assert 'unknown directive "bogus"' in done.stderr
    assert "/etc/nginx/sites-enabled/shop.conf:" in done.stderr
    assert "line 2 of `extra` of the site at reconcile.yaml:4" in done.stderr
    assert [] == list(differences(before, host.manifest(mtimes=True)))


def test_without_namespaces_the_test_of_a_copy_is_reported(
    debian_host: DebianHost,
) -> None:
    host = debian_host
    deploy(host, "[80]")
    confined = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]

    done = host.run(
        *confined, "/usr/local/bin/reconcile", "apply", "--auto-approve", cwd="/etc/reconcile"
    )

    assert "Note: " in done.stdout
    assert "nginx tested a copy of its configuration" in done.stdout
    assert b"shop" == served(host, 80)
