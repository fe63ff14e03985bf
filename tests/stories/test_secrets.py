"""What is secret on a host is told to nobody, in no form."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.support import guide_site as site

pytestmark = pytest.mark.host

SECRET, NEWER = "TOKEN=hunter2-first", "TOKEN=hunter2-second"
KEY_MARK = "hunter2-key"
ENV_FILE, SOURCE = "/etc/myapp/app.env", "/etc/reconcile/app.env"
YAML = (
    site.SMALLEST
    + """
paths:
  /etc/myapp/app.env:
    {owner: {user: root, group: www-data, files: "0640"}, source: ./app.env, sensitive: true}
  /etc/ssl/private/shop.key:
    {owner: {user: root, files: "0600"}, source: ./shop.key, sensitive: true}
"""
)
TELLING = (
    ("plan",),
    ("plan", "--full"),
    ("plan", "--json", "--full"),
    ("plan", "--markdown"),
    ("drift",),
    ("drift", "--json"),
    ("drift", "--markdown"),
    ("drift", "--metrics-file", "/tmp/reconcile.prom"),
    ("drift", "--notify", "json://127.0.0.1:1/hunter2-hook"),
    ("history",),
    ("history", "--json"),
    ("state", "list", "--json"),
    ("state", "show", f"file:{ENV_FILE}"),
    ("graph",),
    ("verify", "--json"),
)


@pytest.fixture
def host(debian_host: DebianHost) -> DebianHost:
    """An env file that was applied, drifted, and is another one in the YAML by now."""
    debian_host.write("/etc/reconcile/shop.key", KEY_MARK, mode="0600")
    debian_host.write(SOURCE, SECRET, mode="0600")
    site.deploy(debian_host, YAML)
    debian_host.reconcile("apply", "--auto-approve", "--json", check=True)
    debian_host.write(ENV_FILE, "TOKEN=hunter2-drifted")
    debian_host.write(SOURCE, NEWER, mode="0600")
    return debian_host


def test_no_command_prints_it(host: DebianHost) -> None:
    for arguments in TELLING:
        done = host.reconcile(*arguments)
        assert done.returncode in (0, 1, 2, 3), arguments
        assert "hunter2" not in done.stdout + done.stderr, arguments
    assert "hunter2" not in host.read("/tmp/reconcile.prom").decode()


def test_no_state_file_holds_it_but_what_a_rollback_needs(host: DebianHost) -> None:
    host.reconcile("plan", "--out", "/root/approved.plan", check=True)
    host.reconcile("apply", "/root/approved.plan", check=True)

    managed = ("/var/lib/reconcile", "/root/approved.plan")
    found = host.run("grep", "-rl", "hunter2", *managed, check=False).stdout.splitlines()
    journal = host.run("journalctl", "--output=cat").stdout
    # What is kept for a rollback is the old file itself, as it was, in a folder of ours alone.
    loose = host.run("find", *managed, "-perm", "/077", "-not", "-path", "*/keep/*").stdout

    assert [] == [path for path in found if "/keep/" not in path]
    assert "hunter2" not in journal
    assert "" == loose
    assert NEWER == host.read(ENV_FILE).decode()
