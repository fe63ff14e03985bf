"""Real Debian 12 hosts for tests: systemd, nginx and `reconcile` as installed, booted in 0.4 s.

How to:

    import pytest

    from tests.lab import DebianHost

    pytestmark = pytest.mark.host

    def test_a_missing_stylesheet_comes_back(debian_host: DebianHost) -> None:
        debian_host.put_tree(SITE, "/etc/reconcile")
        debian_host.reconcile("apply", "--auto-approve", check=True)
        debian_host.run("rm", "/var/www/myapp/static/css/app.css")

        debian_host.reconcile("apply", "--auto-approve", check=True)

        assert 200 == debian_host.http("GET", "/static/css/app.css").status

Fixtures: `debian_host` (one fresh host a test), `debian_hosts` (`debian_hosts("web1")` boots as
many as a test wants; they reach each other by `host.address`), `module_hosts` (the same, alive for
a whole module: its tests put back what they change).

What a host holds: stock nginx with its default site, `/usr/local/bin/reconcile` (the wheel built
from this checkout, in /opt/reconcile; the checkout itself is out of sight), Gunicorn and Flask in
/opt/apps-venv, curl, git, strace, acl and attr. It has no way out to the internet.

- `host.run("systemctl", "stop", "nginx")` runs as root; `user=`, `input=`, `cwd=`, `env=`,
  `timeout_s=`, `check=False`. A long-running process is a unit:
  `host.run("systemd-run", "--unit=hog", "sleep", "1d")`.
- `host.reconcile("plan", "--json")` never raises on an exit code unless `check=True`.
- `host.write(path, text, mode="0600", user="www-data")`, `host.read(path)`, `host.exists(path)`.
- `host.http("GET", "/", address="::1")` is one request made inside the host's network.
- `host.manifest()` is what an independent reader sees: content, owner, mode, links, xattrs and ACLs
  (and mtimes on request), and the state of units. Two of them compare with `==`.
- `host.testinfra` is pytest-testinfra on that host.

Everything lives in ${XDG_CACHE_HOME:-~/.cache}/reconcile-tests (or $RECONCILE_TEST_CACHE): images
are built once, keyed by what they are made of; the next run sweeps what a killed one left behind.
"""

from tests.lab.debian import CommandFailedError, Completed, DebianHost
from tests.lab.http import Response
from tests.lab.lab import HostsUnavailableError, Lab
from tests.lab.manifest import Manifest

__all__ = [
    "CommandFailedError",
    "Completed",
    "DebianHost",
    "HostsUnavailableError",
    "Lab",
    "Manifest",
    "Response",
]
