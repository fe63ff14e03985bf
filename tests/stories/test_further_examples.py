"""The further examples run as they stand, on a booted stock Debian."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import DebianHost

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.host


def applied(host: DebianHost, folder: str) -> None:
    """Apply, verify and plan again, as a user would."""
    for arguments in (("apply", "--auto-approve"), ("verify",), ("plan", "--detailed-exitcode")):
        done = host.reconcile(*arguments, cwd=folder)
        assert 0 == done.returncode, done.stdout + done.stderr


def test_two_sites_live_on_one_host(debian_host: DebianHost) -> None:
    debian_host.put_tree(EXAMPLES / "two-sites", "/srv/two-sites")

    applied(debian_host, "/srv/two-sites")

    shown = debian_host.run(
        "curl", "-s", "-H", "Host: blog.example", "http://127.0.0.1/static/index.html"
    )
    assert "Plain files, served by Nginx." in shown.stdout


def test_a_site_over_https_redirects_and_stays_with_https(debian_host: DebianHost) -> None:
    debian_host.put_tree(EXAMPLES / "tls", "/srv/tls")
    debian_host.run("/srv/tls/make-certificate.sh", "secure.example")

    applied(debian_host, "/srv/tls")

    plain = debian_host.run("curl", "-sI", "-H", "Host: secure.example", "http://127.0.0.1/")
    assert "301" in plain.stdout.splitlines()[0]
    assert "Location: https://secure.example/" in plain.stdout.splitlines()


def test_a_certificate_that_is_there_is_kept(debian_host: DebianHost) -> None:
    debian_host.put_tree(EXAMPLES / "tls", "/srv/tls")
    debian_host.run("/srv/tls/make-certificate.sh", "secure.example")
    made = debian_host.read("/etc/ssl/private/secure.example.key")

    debian_host.run("/srv/tls/make-certificate.sh", "secure.example")

    assert made == debian_host.read("/etc/ssl/private/secure.example.key")
