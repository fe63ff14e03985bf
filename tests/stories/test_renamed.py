"""Renamed sites and services, and two repositories on one host, with real units and visitors."""

from __future__ import annotations

import json

import pytest

from tests.lab import DebianHost
from tests.lab.debian import Completed
from tests.support import guide_site as site
from tests.support.wait import wait_for

pytestmark = [pytest.mark.host, pytest.mark.nightly]

FOLDER = "/etc/reconcile"
YAML = """
version: 1
{scope}
paths:
  /etc/{name}.txt: {{content: of the file, prevent_destroy: true}}
sites:
  {name}:
    {moved_site}
    prevent_destroy: true
    server_names: [{host}]
    app:
      gunicorn:
        directory: /srv/myapp
        python: /opt/apps-venv/bin/python
        module: "app:app"
        environment: {{UPLOAD_FOLDER: /var/www/{folder}/media}}
    locations:
      /static/: {{role: static, dir: /var/www/{folder}/static, source: ./app/static}}
      /media/: {{role: media, dir: /var/www/{folder}/media}}
services:
  {service}: {{command: [/usr/bin/sleep, infinity]{moved_service}}}
"""
BEFORE = {
    "name": "shop",
    "service": "worker",
    "scope": "",
    "moved_site": "",
    "moved_service": "",
    "host": "example.com",
    "folder": "myapp",
}
AFTER = BEFORE | {
    "name": "store",
    "service": "indexer",
    "moved_site": "moved_from: shop",
    "moved_service": ", moved_from: worker",
}


def declare(host: DebianHost, values: dict[str, str], folder: str = FOLDER) -> None:
    text = YAML.format(**values).replace(f"/etc/{values['name']}.txt", "/etc/kept.txt")
    host.write(f"{folder}/reconcile.yaml", text)


def apply(host: DebianHost, folder: str = FOLDER) -> None:
    done = host.reconcile("apply", "--auto-approve", cwd=folder)
    assert 0 == done.returncode, done.stdout + done.stderr


def planned(host: DebianHost, code: int, folder: str = FOLDER) -> Completed:
    done = host.reconcile("plan", "--json", "--detailed-exitcode", cwd=folder)
    assert code == done.returncode, done.stdout + done.stderr
    return done


def state(host: DebianHost, unit: str) -> str:
    shown = host.run("systemctl", "show", "--value", "-p", "LoadState,ActiveState", unit).stdout
    return " ".join(shown.split())


def upload(host: DebianHost) -> None:
    host.write("/tmp/photo.txt", "what a visitor sent")
    form = ("-H", "Host: example.com", "-F", "file=@/tmp/photo.txt")
    host.run("curl", "-sf", *form, "http://127.0.0.1/upload")


def test_a_renamed_site_and_service_pass_over_with_their_uploads(debian_host: DebianHost) -> None:
    host = debian_host
    site.deploy(host)
    declare(host, BEFORE)
    apply(host)
    upload(host)
    inode = host.run("stat", "--format=%i", f"{site.MEDIA}/photo.txt").stdout

    declare(host, AFTER)
    document = json.loads(planned(host, 2).stdout)
    apply(host)

    actions = {one["address"]: one["change"]["actions"] for one in document["resource_changes"]}
    assert [] == [address for address, action in actions.items() if "delete" in action], actions
    for old, new in (("gunicorn-shop", "gunicorn-store"), ("worker", "indexer")):
        assert "not-found inactive" == state(host, f"{old}.service")
        assert "loaded active" == state(host, f"{new}.service")
    assert "not-found inactive" == state(host, "gunicorn-shop.socket")
    running = host.run("pgrep", "--exact", "--count", "sleep").stdout
    assert "1\n" == running
    assert b"what a visitor sent" == host.http("GET", "/media/photo.txt").body
    assert inode == host.run("stat", "--format=%i", f"{site.MEDIA}/photo.txt").stdout
    assert 200 == host.http("GET", "/").status
    assert not host.exists("/etc/nginx/sites-enabled/shop.conf")
    declare(host, AFTER | {"moved_site": "", "moved_service": ""})
    planned(host, 0)

    host.reconcile("rollback", "--auto-approve", check=True)

    assert "loaded active" == state(host, "worker.service")
    assert "not-found inactive" == state(host, "indexer.service")
    assert 200 == host.http("GET", "/").status
    assert b"what a visitor sent" == host.http("GET", "/media/photo.txt").body


def test_what_must_not_go_refuses_the_plan_that_would_remove_it(debian_host: DebianHost) -> None:
    host = debian_host
    site.deploy(host)
    declare(host, BEFORE)
    apply(host)

    host.write(f"{FOLDER}/reconcile.yaml", "version: 1\npaths: {/etc/other.txt: {content: a}}\n")
    refused = planned(host, 1)
    applied = host.reconcile("apply", "--auto-approve")

    assert "sites.shop must not be removed" in refused.stdout + refused.stderr
    assert "paths./etc/kept.txt must not be removed" in refused.stdout + refused.stderr
    assert 1 == applied.returncode
    assert 200 == host.http("GET", "/").status
    assert host.exists("/etc/kept.txt")
    assert not host.exists("/etc/other.txt")


PIPELINE = 'cd "$1" && exec /usr/local/bin/reconcile apply --auto-approve --lock-timeout 120'


def test_two_pipelines_manage_their_own_part(debian_host: DebianHost) -> None:
    host = debian_host
    folders = {name: f"/home/{name}/deploy" for name in ("shop", "blog")}
    site.deploy(host)
    for name, folder in folders.items():
        host.put_tree(site.APP / "static", f"{folder}/app/static")
        values = {
            "name": name,
            "host": f"{name}.example",
            "folder": name,
            "scope": f"scope: {name}",
        }
        text = YAML.format(**(BEFORE | values | {"service": f"{name}-worker"}))
        host.write(f"{folder}/reconcile.yaml", text)
        apply(host, folder)
    for folder in folders.values():
        planned(host, 0, folder)
        host.write(f"{folder}/app/static/new.css", "a {}")

    for name, folder in folders.items():
        host.run("systemd-run", f"--unit=pipeline-{name}", "sh", "-c", PIPELINE, "sh", folder)
    for name in folders:
        log = ("journalctl", "--unit", f"pipeline-{name}", "--output", "cat")
        wait_for(lambda log=log: "Apply complete!" in host.run(*log).stdout, name)

    for name, folder in folders.items():
        planned(host, 0, folder)
        assert 200 == host.http("GET", "/static/new.css", host=f"{name}.example").status
        assert 200 == host.http("GET", "/", host=f"{name}.example").status
        assert "loaded active" == state(host, f"{name}-worker.service")
    text = host.read(f"{folders['blog']}/reconcile.yaml").decode()
    host.write(f"{folders['blog']}/reconcile.yaml", text.replace("/etc/blog.txt", "/etc/shop.txt"))
    refused = host.reconcile("plan", cwd=folders["blog"])
    assert 1 == refused.returncode
    for name, folder in folders.items():
        assert f"the scope {name} ({folder}/reconcile.yaml)" in refused.stdout + refused.stderr
