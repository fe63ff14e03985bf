"""From the guide's hand-written configuration to ours: what the plan says visitors will notice."""

from __future__ import annotations

import json

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import guide_site as site
from tests.support.guide import GUIDE
from tests.support.nginx_reload import reload_nginx

pytestmark = pytest.mark.host

STYLESHEET = "http://example.com/static/css/app.css"


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    """The guide's host, by its own commands."""
    host = module_hosts("web1")
    site.deploy(host)
    host.run("mkdir", "-p", "/var/www/myapp/media")
    host.put_tree(site.APP / "static", site.STATIC)
    host.write(site.SITE_FILE, GUIDE)
    host.run("ln", "-s", site.SITE_FILE, site.SITE_LINK)
    host.run("chown", "-R", "www-data:www-data", "/var/www/myapp")
    reload_nginx(host)
    return host


@pytest.fixture(scope="module")
def noticed(host: DebianHost) -> dict[str, tuple[str, str]]:
    """Request → who answered, who will; then the apply is carried out."""
    document = site.plan(host).document
    assert "What visitors will notice:" in host.reconcile("plan").stdout
    before = asked(host)
    site.apply(host)
    shown = {c["request"]: (c["before"], c["after"]) for c in document["behaviour_changes"]}
    return {**shown, "asked": (before, asked(host))}


def asked(host: DebianHost) -> str:
    """What visitors really get, over both families."""
    answers = {}
    for address in ("127.0.0.1", "::1"):
        answer = host.http("GET", "/static/css/app.css", address=address)
        answers[address] = [answer.status, *answer.lines("Cache-Control")]
    return json.dumps(answers)


def test_two_cache_controls_become_one(noticed: dict[str, tuple[str, str]]) -> None:
    file = f"file {site.STYLESHEET}, Cache-Control:"

    assert (
        f"{file} max-age=604800, Cache-Control: public",
        f"{file} public, max-age=604800",
    ) == noticed[f"GET {STYLESHEET} over IPv4"]


def test_over_ipv6_the_default_server_captured_the_name(
    noticed: dict[str, tuple[str, str]],
) -> None:
    was, will_be = noticed[f"GET {STYLESHEET} over IPv6"]

    default = "from the default server in /etc/nginx/sites-enabled/default"
    assert f"404 (no file of try_files exists), {default}" == was
    assert f"file {site.STYLESHEET}, Cache-Control: public, max-age=604800" == will_be


def test_predictions_are_what_visitors_got_and_get(
    noticed: dict[str, tuple[str, str]],
) -> None:
    before, after = map(json.loads, noticed["asked"])

    assert {"127.0.0.1": [200, "max-age=604800", "public"], "::1": [404]} == before
    one = [200, "public, max-age=604800"]
    assert {"127.0.0.1": one, "::1": one} == after


def test_once_applied_nothing_is_left_to_notice(
    host: DebianHost, noticed: dict[str, tuple[str, str]]
) -> None:
    assert [] == site.plan(host).document["behaviour_changes"]
