"""What was planned is what is published, on a host where somebody works meanwhile."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import guide_site as site

pytestmark = pytest.mark.host

YAML = """
version: 1
sites:
  shop:
    server_names: [shop.test]
    locations:
      /static/: {role: static, dir: /var/www/shop/static, source: ./static, prune: true}
"""
SOURCE, STATIC = "/etc/reconcile/static", "/var/www/shop/static"
EMPTIES = """
import os
journals = os.listdir("/var/lib/reconcile/journal")
os.mkdir("/etc/reconcile/empty")
while os.listdir("/var/lib/reconcile/journal") == journals:
    pass
os.rename("/etc/reconcile/static", "/etc/reconcile/old")
os.rename("/etc/reconcile/empty", "/etc/reconcile/static")
"""
RENAMED = """
import json
from reconcile.engine.digest import canonical, digest
body = json.load(open("/root/plan"))
body = {**body, "id": "0" * 32}
body.pop("digest")
open("/root/other", "w").write(canonical(body | {"digest": digest(body)}) + "\\n")
"""


@pytest.fixture
def host(debian_hosts: Boot) -> DebianHost:
    """A host that publishes 303 static files, of which one is newer in the source."""
    host = debian_hosts()
    host.write("/etc/reconcile/reconcile.yaml", YAML)
    files = f"mkdir {SOURCE}; for i in $(seq 303); do echo $i > {SOURCE}/f$i.js; done"
    host.run("sh", "-c", files)
    site.apply(host)
    host.write(f"{SOURCE}/f1.js", "approved")
    return host


def test_a_source_that_is_emptied_meanwhile_removes_no_file(host: DebianHost) -> None:
    host.write("/root/empties.py", EMPTIES)
    host.run("systemd-run", "--unit=build", "python3", "/root/empties.py")
    host.run("sh", "-c", "until [ -d /etc/reconcile/empty ]; do sleep 0.1; done")

    done = host.run("reconcile", "apply", "--auto-approve", "--max-deletes", "0", check=False)

    assert done.returncode in (0, 5), done.stdout + done.stderr
    assert "303" == host.run("sh", "-c", f"ls {STATIC}/f*.js | wc -l").stdout.strip()


def test_an_approved_plan_publishes_no_other_bytes(host: DebianHost) -> None:
    host.run("reconcile", "plan", "--out", "/root/plan")
    host.run("sh", "-c", f"touch -r {SOURCE}/f1.js /root/then; printf unasked! > {SOURCE}/f1.js")
    host.run("touch", "-r", "/root/then", f"{SOURCE}/f1.js")

    done = host.run("reconcile", "apply", "/root/plan", check=False)

    assert 5 == done.returncode, done.stdout + done.stderr
    assert "1\n" == host.run("cat", f"{STATIC}/f1.js").stdout


def test_a_used_plan_is_used_whatever_its_id(host: DebianHost) -> None:
    host.run("reconcile", "plan", "--out", "/root/plan")
    host.run("reconcile", "apply", "/root/plan")
    host.run("reconcile", "rollback", "--auto-approve")
    host.write("/root/renamed.py", RENAMED)
    host.run("/opt/reconcile/bin/python", "/root/renamed.py")

    again = host.run("reconcile", "apply", "/root/other", check=False)

    assert 5 == again.returncode, again.stdout
    assert "can be applied once" in again.stderr
    assert "1\n" == host.run("cat", f"{STATIC}/f1.js").stdout
