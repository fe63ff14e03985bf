"""A rollback leaves the host as it was, to its sockets."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.support import guide_site as site

pytestmark = pytest.mark.host

BEFORE = """
version: 1
paths:
  /etc/nginx/conf.d/shop.conf:
    content: |
      server {
          listen [::]:80 ipv6only=off;
          server_name shop.example;
          location = /who { return 200 shop; }
      }
sites:
  other:
    server_names: [other.example]
    listen: [8081]
    locations:
      /private/: {role: private, dir: /srv/private}
"""
YAML = """
version: 1
sites:
  other:
    server_names: [other.example]
    listen: [8081]
    locations:
      /private/: {role: private, dir: /srv/private}
  shop:
    server_names: [shop.example]
    locations:
      /private/: {role: private, dir: /srv/private}
    extra: |
      location = /who { return 200 new; }
"""
FAILING = YAML + "    probes: [{get: /none, expect: {status: 200}}]\n"


def who(host: DebianHost, address: str) -> bytes:
    return host.http("GET", "/who", host="shop.example", address=address).body


@pytest.mark.parametrize("fails", [False, True], ids=["rolled back by hand", "by a failed probe"])
def test_ipv4_is_served_again_after_the_rollback_of_a_restart(
    debian_host: DebianHost, fails: bool
) -> None:
    host = debian_host
    host.run("rm", "-f", "/etc/nginx/sites-enabled/default")
    host.write("/etc/reconcile/reconcile.yaml", BEFORE)
    site.apply(host)
    assert (b"shop", b"shop") == (who(host, "127.0.0.1"), who(host, "::1"))
    host.write("/etc/reconcile/reconcile.yaml", FAILING if fails else YAML)

    done = host.reconcile("apply", "--auto-approve")
    assert (3 if fails else 0) == done.returncode, done.stdout + done.stderr
    if not fails:
        assert (b"new", b"new") == (who(host, "127.0.0.1"), who(host, "::1"))
        host.reconcile("rollback", "--auto-approve")

    assert (b"shop", b"shop") == (who(host, "127.0.0.1"), who(host, "::1"))
